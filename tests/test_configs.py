from functools import wraps

import numpy as np
import pytest
import torch
from conftest import ROOT
from mmdet.models.dense_heads import RPNHead
from mmengine.config import Config
from mmengine.config import config as config_of_mmengine
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.model import BaseModule
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (DATASETS, METRICS, MODELS,
                               PARAM_SCHEDULERS, init_default_scope)
from yapf.yapflib import yapf_api

from sb_mm.apis.config import format_once
from sb_mm.apis.signatures import check_settings

CONFIGS = sorted(
    str(path.relative_to(ROOT / 'configs'))
    for path in (ROOT / 'configs').rglob('*.py')
    if path.parent.name != '_base_')


def find(registry, cfg):
    """The class that a part of a config names."""
    with registry.switch_scope_and_registry(None) as scope:
        return scope.get(cfg.type)


def num_classes_of(model):
    """Of each head that has classes; an RPN tells objects from background."""
    return {
        head.num_classes
        for head in model.modules()
        if isinstance(head, BaseModule) and not isinstance(head, RPNHead)
        and hasattr(head, 'num_classes')
    }


@pytest.mark.parametrize('config', CONFIGS)
def test_builds(config):
    cfg = Config.fromfile(ROOT / 'configs' / config)
    check_settings(cfg, 'train', 'val', 'test')
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    assert any('spatial_bias' in name for name in model.state_dict()) == (
        'sb_' in config)
    if 'benchmarks/cifar10' in config:  # the folders name the classes
        assert num_classes_of(model) == {10}
    for phase in ('train', 'val', 'test'):
        dataset = cfg[f'{phase}_dataloader'].dataset
        metainfo = dataset.get('metainfo') or find(DATASETS, dataset).METAINFO
        if 'classes' in metainfo:
            assert num_classes_of(model) == {len(metainfo['classes'])}
        if phase != 'train':
            evaluators = cfg[f'{phase}_evaluator']
            for evaluator in (evaluators if isinstance(evaluators, list) else
                              [evaluators]):
                assert find(METRICS, evaluator)
    if (cfg.optim_wrapper.get('type') == 'AmpOptimWrapper'
            and not torch.cuda.is_available()):  # where it refuses to be built
        cfg.optim_wrapper.type = 'OptimWrapper'
        cfg.optim_wrapper.pop('loss_scale', None)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    schedulers = cfg.param_scheduler
    if isinstance(schedulers, dict):
        schedulers = [schedulers]
    for scheduler in schedulers:
        PARAM_SCHEDULERS.build(
            scheduler,
            default_args=dict(optimizer=optim_wrapper, epoch_length=100))


def plain(cfg):
    """A config as plain containers, without the scopes that mmengine notes
    where a config inherits from another package."""
    if isinstance(cfg, dict):
        return {k: plain(v) for k, v in cfg.items() if k != '_scope_'}
    if isinstance(cfg, (list, tuple)):
        return [plain(value) for value in cfg]
    return cfg


@pytest.mark.parametrize('config, base, plain_type, sb_type', [
    ('maskrcnn_sb_r50_coco.py', 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
     'ResNet', 'SBResNet'),
    ('maskrcnn_sb_r50_2x_coco.py',
     'mmdet::mask_rcnn/mask-rcnn_r50_fpn_2x_coco.py', 'ResNet', 'SBResNet'),
    ('maskrcnn_sb_r101_coco.py',
     'mmdet::mask_rcnn/mask-rcnn_r101_fpn_1x_coco.py', 'ResNet', 'SBResNet'),
    ('upernet_sb_r50_ade20k.py',
     'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py', 'ResNetV1c',
     'SBResNetV1c'),
    ('upernet_sb_r50_80k_ade20k.py',
     'mmseg::upernet/upernet_r50_4xb4-80k_ade20k-512x512.py', 'ResNetV1c',
     'SBResNetV1c'),
    ('upernet_sb_r101_ade20k.py',
     'mmseg::upernet/upernet_r101_4xb4-160k_ade20k-512x512.py', 'ResNetV1c',
     'SBResNetV1c'),
    ('sb_r50_100e_imagenet.py', 'mmpretrain::resnet/resnet50_8xb32_in1k.py',
     'ResNet', 'SBResNet'),
])
def test_differs_from_the_toolbox_in_the_backbone_alone(
        config, base, plain_type, sb_type):
    ours = plain(Config.fromfile(ROOT / 'configs' / config).to_dict())
    theirs = plain(get_config(base).to_dict())
    assert ours.pop('custom_imports')['imports'] == ['sb_mm']
    backbone = ours['model']['backbone']
    assert backbone.pop('type') == sb_type
    assert backbone.pop('sb_stages') == [True, True, True, False]
    assert theirs['model']['backbone'].pop('type') == plain_type
    assert ours == theirs


def test_configs_of_a_toolbox_are_found_by_their_names(monkeypatch):
    """And no metafile of it is read for that, but for what is not there."""
    read = []
    monkeypatch.setattr('mmengine.config.utils.load',
                        lambda path: read.append(path) or {'Import': []})
    name = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    path, scope = Config._get_cfg_path(f'mmdet::{name}', 'ours.py')
    assert scope == 'mmdet' and path.endswith(f'/mmdet/.mim/configs/{name}')
    assert not read
    with pytest.raises(FileNotFoundError, match='mmdet/.mim/configs/no/no.py'):
        Config._get_cfg_path('mmdet::no/no.py', 'ours.py')
    assert read


def test_a_config_is_formatted_once(monkeypatch):
    formatted, format_code = [], yapf_api.FormatCode

    @wraps(format_code)
    def counting(text, **style):
        formatted.append(text)
        return format_code(text, **style)

    cfg = Config.fromfile(ROOT / 'configs/sb_r38_cifar100.py')
    want = cfg.pretty_text
    for module in (yapf_api, config_of_mmengine):
        monkeypatch.setattr(module, 'FormatCode', counting, raising=False)
    for _ in range(2):
        format_once()
    assert [cfg.pretty_text, cfg.pretty_text] == [want, want]
    assert len(formatted) == 1
    cfg.model.backbone.depth = 65
    assert cfg.pretty_text == want.replace('depth=38', 'depth=65') != want


def test_imagenet_recipe_of_the_paper():
    """Every value of it but the target threshold, which is not to be had."""
    cfg = Config.fromfile(ROOT / 'configs/sb_r50_imagenet.py')
    optim, (warmup, cosine) = cfg.optim_wrapper, cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == cosine.end == 300
    assert optim.type == 'AmpOptimWrapper'
    assert (optim.optimizer.type, optim.optimizer.lr,
            optim.optimizer.weight_decay) == ('Lamb', 3.5e-3, .02)
    assert cfg.auto_scale_lr.base_batch_size == 1024
    assert cfg.train_dataloader.batch_size == 1024 // 8
    assert warmup.start_factor * optim.optimizer.lr == pytest.approx(1e-4)
    assert cosine.type == 'CosineAnnealingLR'
    assert cfg.model.head.loss.use_sigmoid
    augment = next(t for t in cfg.train_pipeline if t.type == 'RandAugment')
    assert augment.policies == 'timm_increasing'
    assert (augment.magnitude_level, augment.magnitude_std) == (7, .5)
    assert [(a.type, a.alpha) for a in cfg.model.train_cfg.augments
            ] == [('Mixup', .1), ('CutMix', 1.)]
    sampler = cfg.train_dataloader.sampler
    assert (sampler.type, sampler.get('num_repeats', 3)) == ('RepeatAugSampler',
                                                             3)
    assert cfg.model.backbone.drop_path_rate == .05
    resize = next(t for t in cfg.test_pipeline if t.type == 'ResizeEdge')
    assert round(224 / resize.scale, 2) == .95


def test_crops_of_cifar10_have_a_mirrored_border():
    """As those of cifar10_loop.py."""
    cfg = Config.fromfile(ROOT / 'configs/benchmarks/cifar10/r20_cifar10.py')
    init_default_scope(cfg.default_scope)
    crop = Compose(cfg.train_dataloader.dataset.pipeline[1:-2])
    image = np.arange(1, 32 * 32 + 1).reshape(32, 32, 1).repeat(3, 2)
    border = np.pad(image, ((2, 2), (2, 2), (0, 0)), 'reflect')
    allowed = {(y, x): border[y:y + 32, x:x + 32]
               for y in range(5) for x in range(5)}
    found = set()
    for _ in range(200):
        img = crop(dict(img=image.astype('float32')))['img']
        found |= {at for at, each in allowed.items()
                  if np.array_equal(img, each)} or {None}
    assert found == allowed.keys()
