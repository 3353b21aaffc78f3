import pytest
import torch
from conftest import assert_plain_outputs, randomize
from mmcv.cnn.bricks import DropPath
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.models.backbones import (ResNet, ResNet_CIFAR, ResNetV1c,
                                         ResNetV1d, ResNeXt)
from mmpretrain.registry import MODELS
from torch import nn

from sb_mm.checkpoints import to_plain
from sb_mm.models.mmpretrain_resnet import (SBResNet, SBResNet_CIFAR,
                                            SBResNetV1c, SBResNetV1d,
                                            SBResNeXt)

PAIRS = [(ResNet, SBResNet, dict(depth=18)),
         (ResNet, SBResNet, dict(depth=50)),
         (ResNetV1c, SBResNetV1c, dict(depth=50)),
         (ResNetV1d, SBResNetV1d, dict(depth=50)),
         (ResNeXt, SBResNeXt, dict(depth=50, groups=4, width_per_group=16)),
         (ResNet_CIFAR, SBResNet_CIFAR, dict(depth=18))]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_registered_in_the_scope_of_the_toolbox():
    for cls in (SBResNet, SBResNetV1c, SBResNetV1d, SBResNeXt,
                SBResNet_CIFAR):
        assert MODELS.get(f'mmpretrain.{cls.__name__}') is cls


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_zero_init(plain_cls, sb_cls, cfg):
    net = sb_cls(sb_zero_init=True, **cfg)
    net.init_weights()
    to_plain(net.state_dict())  # refuses weights that are not zero


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_plain_checkpoint_gives_the_plain_outputs(plain_cls, sb_cls, cfg):
    cfg = dict(cfg, out_indices=(0, 1, 2, 3))
    assert_plain_outputs(
        randomize(plain_cls(**cfg)), sb_cls(**cfg),
        sb_cls(sb_stages=(False, ) * 4, **cfg))


@pytest.mark.parametrize('depth, stages, millions', [
    (38, 0, .43), (38, 1, .45), (38, 2, .46), (38, 3, .48),
    (65, 0, .71), (65, 1, .74), (65, 2, .77), (65, 3, .80)])
def test_parameters_of_the_cifar_networks(depth, stages, millions):
    """Table 1 of the paper: SB in none, the first, … of the stages."""
    net = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='SBResNet_CIFAR',
                depth=depth,
                sb_stages=tuple(i < stages for i in range(3))),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=100, in_channels=256)))
    parameters = sum(param.numel() for param in net.parameters())
    assert round(parameters / 1e6, 2) == millions


def test_cifar_network():
    net = SBResNet_CIFAR(depth=38, out_indices=(0, 1, 2))
    shapes = [tuple(out.shape[1:]) for out in net(torch.rand(2, 3, 32, 32))]
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]
    assert net.layer3[3].spatial_bias.pool_size == 6
    other = SBResNet_CIFAR(depth=20, sb_cfg=dict(num_maps=5))
    layer = other.layer1[0].spatial_bias
    assert (layer.num_maps, layer.pool_size) == (5, 6)
    with pytest.raises(KeyError, match='invalid depth 51'):
        SBResNet_CIFAR(depth=51)


def test_drop_path():
    net = SBResNet(depth=50, base_channels=8, drop_path_rate=.5)
    rates = [
        getattr(block.drop_path, 'drop_prob', 0)
        for layer in net.res_layers for block in getattr(net, layer)
    ]
    assert rates == pytest.approx([i * .5 / 15 for i in range(16)])
    block = net.layer3[5].train()
    assert isinstance(block.drop_path, DropPath)
    nn.init.constant_(block.bn3.bias, 1.)
    x = torch.randn(64, block.in_channels, 4, 4)
    changed = (block(x) != x.relu()).flatten(1).any(dim=1)
    assert 0 < changed.sum() < 64


def test_layer_decay_gives_sb_the_rate_of_its_block():
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='SBResNet', depth=50, base_channels=8),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=256)))
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=1., weight_decay=.1),
            constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=.5)))
    rates = {
        id(param): group['lr']
        for group in wrapper.param_groups for param in group['params']
    }
    for block, rate in (('layer1.0', .5**6), ('layer2.0', .5**5),
                        ('layer3.5', .5**2)):
        params = dict(model.backbone.get_submodule(block).named_parameters())
        assert {rates[id(param)] for param in params.values()} == {rate}
        assert 'spatial_bias.mix.weight' in params
