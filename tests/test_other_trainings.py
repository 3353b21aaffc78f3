"""Models whose backbone is not where a classifier, a detector or a segmentor
has it, and trainings that see an image several times."""
import json

import cv2
import pytest
import torch
from conftest import randomize
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from sb_mm.analysis import compare_complexity, context_gain
from sb_mm.analysis.work_dirs import Experiment
from sb_mm.apis.checks import InputError, backbone_cfg, read_config
from sb_mm.apis.model import build_model
from sb_mm.checkpoints import convert_checkpoint, without_heads
from sb_mm.models.bias_effects import backbone_of, sb_blocks

HEAD = """
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons'], allow_failed_imports=False)
backbone = dict(
    type='SBResNet', depth=18, stem_channels=8, base_channels=8, init_cfg=None,
    norm_cfg=dict(type='BN'))
loader = dict(batch_size=2, num_workers=0, persistent_workers=False)
default_hooks = dict(logger=dict(interval=1))
"""
SIMCLR = """
_base_ = 'mmpretrain::simclr/simclr_resnet50_16xb256-coslr-200e_in1k.py'
model = dict(
    backbone=backbone,
    neck=dict(in_channels=64, hid_channels=16, out_channels=16))
train_dataloader = dict(loader, dataset=dict(
    _delete_=True, type='CustomDataset', data_root={images!r},
    with_label=False, pipeline={{{{_base_.train_pipeline}}}}))
train_cfg = dict(max_epochs=1)
custom_hooks = [dict(type='BiasEffectHook', interval=1)]
"""
MOCO = """
_base_ = 'mmpretrain::mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'
model = dict(queue_len=16, backbone=backbone, neck=dict(
    in_channels=64, hid_channels=16, out_channels=16))
"""
RETRIEVER = """
_base_ = 'mmpretrain::arcface/resnet50-arcface_8xb32_inshop.py'
model = dict(
    image_encoder=[backbone, dict(type='GlobalAveragePooling')],
    head=dict(in_channels=64, num_classes=3), prototype='prototype.pth')
"""
TRACKER = """
_base_ = 'mmdet::qdtrack/qdtrack_faster-rcnn_r50_fpn_4e_base.py'
model = dict(detector=dict(
    init_cfg=None, backbone=backbone, neck=dict(in_channels=[8, 16, 32, 64])))
"""
SOFT_TEACHER = """
_base_ = ('mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_'
          'semi-0.1-coco.py')
model = dict(detector=dict(
    backbone=backbone, neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=16, num_classes=6))))
sources = [
    dict(dataset, type='BeaconsDataset', data_root={data!r},
         ann_file='annotations/instances_training.json',
         data_prefix=dict(img='images/training/'))
    for dataset in _base_.train_dataloader.dataset.datasets]
scale = [(64, 64), (96, 96)]
sources[0]['pipeline'][2].update(scale=scale)
for branch in ('unsup_teacher', 'unsup_student'):
    sources[1]['pipeline'][2][branch][0].update(scale=scale)
pipeline = _base_.val_dataloader.dataset.pipeline
pipeline[1].update(scale=(64, 64))
train_dataloader = dict(
    loader, sampler=dict(batch_size=2, source_ratio=[1, 1]),
    dataset=dict(datasets=sources))
val_dataloader = dict(loader, batch_size=1, dataset=dict(
    type='BeaconsDataset', data_root={data!r},
    ann_file='annotations/instances_validation.json',
    data_prefix=dict(img='images/validation/'), pipeline=pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file={data!r} + '/annotations/instances_validation.json')
test_evaluator = val_evaluator
train_cfg = dict(max_iters=2, val_interval=100)
custom_hooks = [
    dict(type='MeanTeacherHook'), dict(type='BiasEffectHook', interval=1)]
"""


@pytest.fixture
def write(tmp_path, beacons):
    """Write the config of one of them."""

    def write(text):
        path = tmp_path / 'other.py'
        path.write_text(HEAD + text.format(
            data=str(beacons), images=str(beacons / 'images/training')))
        return path

    return write


@pytest.mark.parametrize('text, names', [
    (MOCO, ['backbone', 'encoder_k.module.0']),
    (RETRIEVER, ['image_encoder.0']),
    (TRACKER, ['detector.backbone']),
    (SOFT_TEACHER, ['student.backbone', 'teacher.backbone']),
], ids=['MoCo', 'retriever', 'tracker', 'SoftTeacher'])
def test_upgrade(text, names, write, tmp_path):
    """Of every backbone that the model has."""
    config = write(text)
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    model = cfg.model.get('detector', cfg.model)
    place = (model.image_encoder[0] if 'image_encoder' in model
             else model.backbone)
    place.type = 'ResNet'
    plain = randomize(MODELS.build(cfg.model)).eval()
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    lines = convert_checkpoint(
        tmp_path / 'plain.pth', tmp_path / 'sb.pth', 'sb', config=config)
    assert f'{6 * len(names)} blocks extended' in lines[0]
    upgraded = build_model(config)[1]
    assert without_heads(plain.state_dict(), upgraded)[1] == []
    upgraded.load_state_dict(torch.load(tmp_path / 'sb.pth')['state_dict'])
    x = torch.randn(1, 3, 65, 97)
    for name in names:
        net, want = upgraded.get_submodule(name), plain.get_submodule(name)
        assert len(sb_blocks(net)) == 6
        assert len(names) > 1 or net is backbone_of(upgraded)
        torch.testing.assert_close(net(x)[-1], want(x)[-1])


def test_backbone_of_teacher_and_student(write):
    model = build_model(write(SOFT_TEACHER))[1]
    assert backbone_of(model) is model.teacher.backbone
    model.semi_test_cfg['predict_on'] = 'student'
    assert backbone_of(model) is model.student.backbone
    model.semi_test_cfg['predict_on'] = 'teacher'
    assert backbone_of(model.train()) is model.student.backbone


@pytest.mark.parametrize('text', [TRACKER, SOFT_TEACHER],
                         ids=['tracker', 'SoftTeacher'])
def test_the_backbone_of_a_detector_inside(text, write):
    config = write(text)
    row, = compare_complexity([config], (64, 64), receptive_field=True)
    assert row['status'] == 'ok' and row['receptive field (px)']
    with pytest.raises(InputError, match='is model.detector.backbone; twins|'
                       'has no val_dataloader'):
        context_gain(config)
    plain, sb = (Experiment(read_config(config)) for _ in range(2))
    plain.cfg.model.detector.backbone.type = 'ResNet'
    assert plain.digests[0] != sb.digests[0]
    assert plain.digests[1] == sb.digests[1]


def test_a_model_without_a_backbone(write):
    with pytest.raises(InputError, match='the ImageToImageRetriever of .*other'
                       '.py has no model.backbone'):
        backbone_cfg(read_config(write(RETRIEVER)))


@pytest.mark.parametrize('text, steps, pictures', [
    (SIMCLR, 4, 16), (SOFT_TEACHER, 2, 24)], ids=['SimCLR', 'SoftTeacher'])
def test_several_views(text, steps, pictures, write, run_tool, tmp_path):
    """Both views of eight images; eight with labels, and what teacher and
    student see of eight without."""
    config = write(text)
    result = run_tool('train.py', config, '--work-dir', 'run')
    assert not result.returncode, result.stdout
    scalars, = tmp_path.glob('run/*/vis_data/scalars.json')
    logged = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [line for line in logged if 'loss' in line]
    assert len(losses) == steps
    for line in losses:
        assert sum(key.startswith('effect/') for key in line) == 6
    result = run_tool('check_data.py', config, '--out', 'sheet')
    assert not result.returncode, result.stdout
    height, width, _ = cv2.imread(str(
        tmp_path / 'sheet/contact_sheet.jpg')).shape
    assert round(height / width * 4 / 1.125) == pictures // 4


def test_functions_get_no_scope(write):
    """MMEngine's loader would call them with it."""
    cfg = read_config(write(SIMCLR))
    assert cfg.train_dataloader.collate_fn == dict(type='default_collate')


@pytest.mark.parametrize('tool, args, message', [
    ('predict.py', ['IMAGE'], 'other.py has no test_dataloader'),
    ('show_bias.py', ['IMAGE'], 'other.py has no test_dataloader'),
    ('export.py', ['--out', 'net.onnx'],
     'MoCo is none. --what backbone exports its backbone'),
])
def test_what_is_no_classifier(tool, args, message, write, run_tool, beacons,
                               tmp_path):
    config = write(MOCO)
    torch.save(build_model(config)[1].state_dict(), tmp_path / 'moco.pth')
    image = next(beacons.glob('images/validation/*.jpg'))
    result = run_tool(tool, config, 'moco.pth', *(
        image if each == 'IMAGE' else each for each in args))
    assert result.returncode == 2 and message in result.stdout
    assert 'Traceback' not in result.stdout
