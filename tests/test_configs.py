import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, init_default_scope

CONFIGS = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('*.py'))


@pytest.mark.parametrize('config', CONFIGS)
def test_builds(config):
    cfg = Config.fromfile(ROOT / config)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    assert any('spatial_bias' in name for name in model.state_dict())


def plain(cfg):
    """A config as plain containers, without the scopes that mmengine notes
    where a config inherits from another package."""
    if isinstance(cfg, dict):
        return {k: plain(v) for k, v in cfg.items() if k != '_scope_'}
    if isinstance(cfg, (list, tuple)):
        return [plain(value) for value in cfg]
    return cfg


@pytest.mark.parametrize('config, base', [
    ('maskrcnn_sb_r50_coco.py', 'mask-rcnn_r50_fpn_1x_coco.py'),
    ('maskrcnn_sb_r50_2x_coco.py', 'mask-rcnn_r50_fpn_2x_coco.py'),
    ('maskrcnn_sb_r101_coco.py', 'mask-rcnn_r101_fpn_1x_coco.py'),
])
def test_differs_from_the_toolbox_in_the_backbone_alone(config, base):
    ours = plain(Config.fromfile(ROOT / 'configs' / config).to_dict())
    theirs = plain(get_config(f'mmdet::mask_rcnn/{base}').to_dict())
    assert ours.pop('custom_imports')['imports'] == ['sb_mm']
    backbone = ours['model']['backbone']
    assert backbone.pop('type') == 'SBResNet'
    assert backbone.pop('sb_stages') == [True, True, True, False]
    assert theirs['model']['backbone'].pop('type') == 'ResNet'
    assert ours == theirs
