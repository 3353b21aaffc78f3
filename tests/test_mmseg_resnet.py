import pytest
import torch
from conftest import assert_plain_outputs, randomize
from mmseg.models.backbones import ResNet, ResNetV1c, ResNetV1d
from mmseg.registry import MODELS

from sb_mm.checkpoints import to_plain
from sb_mm.models.mmseg_resnet import SBResNet, SBResNetV1c, SBResNetV1d

DILATED = dict(
    strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True)
PAIRS = [(ResNet, SBResNet, dict(depth=18)),
         (ResNet, SBResNet, dict(depth=50)),
         (ResNetV1c, SBResNetV1c, dict(depth=50, **DILATED)),
         (ResNetV1d, SBResNetV1d,
          dict(depth=50, multi_grid=(1, 2, 4), **DILATED))]


def test_registered_in_the_scope_of_the_toolbox():
    for cls in (SBResNet, SBResNetV1c, SBResNetV1d):
        assert MODELS.get(f'mmseg.{cls.__name__}') is cls


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_zero_init(plain_cls, sb_cls, cfg):
    net = sb_cls(sb_zero_init=True, **cfg)
    net.init_weights()
    to_plain(net.state_dict())  # refuses weights that are not zero


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_plain_checkpoint_gives_the_plain_outputs(plain_cls, sb_cls, cfg):
    cfg = dict(cfg, base_channels=16, stem_channels=16)
    assert_plain_outputs(
        randomize(plain_cls(**cfg)), sb_cls(**cfg),
        sb_cls(sb_stages=(False, ) * 4, **cfg))


def test_dilated_with_multi_grid_and_contract_dilation():
    net = SBResNetV1c(
        depth=50,
        base_channels=8,
        stem_channels=8,
        multi_grid=(1, 2, 4),
        **DILATED)
    outs = net(torch.rand(2, 3, 64, 64))
    assert [out.shape[-1] for out in outs] == [16, 8, 8, 8]
    dilations = [[block.conv2.dilation[0] for block in getattr(net, layer)]
                 for layer in ('layer3', 'layer4')]
    assert dilations == [[1, 2, 2, 2, 2, 2], [1, 2, 4]]


@pytest.mark.parametrize('sb', [True, False])
def test_plugins_of_one_position_chain(sb):
    """Where the toolbox hands its input to all, and keeps the last."""
    plugins = [
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 4, postfix=i),
            position='after_conv2') for i in (1, 2)
    ]
    net = SBResNet(
        depth=50, base_channels=8, plugins=plugins, sb_stages=(sb, ) * 4)
    block = net.layer1[0].eval()
    called = []
    for name in block.after_conv2_plugin_names:
        getattr(block, name).register_forward_hook(
            lambda module, args, out: called.append((args[0], out)))
    block(torch.randn(1, 64, 8, 8))
    (_, first_out), (second_in, _) = called
    assert second_in is first_out
