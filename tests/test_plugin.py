import re

import pytest
import torch
from conftest import ROOT, randomize
from mmcv.cnn import build_plugin_layer
from mmengine.registry import MODELS
from torch import nn

from sb_mm.models import SpatialBiasPlugin

POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')
#: Backbones of the toolboxes that take plugins, small.
BACKBONES = [
    dict(type='mmdet.ResNet', depth=50, base_channels=8),
    dict(type='mmdet.ResNetV1d', depth=50, base_channels=8, stem_channels=8),
    dict(type='mmdet.ResNeXt', depth=50, base_channels=16, groups=4,
         base_width=16),
    # these two hand plugins before conv3 a wrong number of channels
    dict(type='mmdet.Res2Net', depth=50, base_channels=16, scales=4,
         base_width=8, positions=POSITIONS[2:]),
    dict(type='mmdet.ResNeSt', depth=50, base_channels=16, stem_channels=16,
         reduction_factor=4),
    dict(type='mmdet.RegNet', arch='regnetx_400mf'),
    dict(type='mmdet.SBResNet', depth=50, base_channels=8),
    dict(type='mmseg.ResNetV1c', depth=50, base_channels=8, stem_channels=8),
    dict(type='mmseg.ResNeXt', depth=50, base_channels=16, groups=4,
         base_width=16, positions=POSITIONS[2:]),
    dict(type='mmseg.SBResNetV1c', depth=50, base_channels=8, stem_channels=8),
]


def plugin(position='after_conv2', stages=(False, True, True, False), **cfg):
    return dict(
        cfg=dict(type='SpatialBiasPlugin', **cfg),
        stages=stages,
        position=position)


def layers_of(net):
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, SpatialBiasPlugin)
    }


@pytest.mark.parametrize('cfg', BACKBONES, ids=lambda cfg: cfg['type'])
def test_changes_nothing_in_a_loaded_network_and_learns(cfg):
    cfg = dict(cfg, norm_eval=False)
    positions = cfg.pop('positions', POSITIONS)
    plain = MODELS.build(cfg)
    plain.init_weights()
    randomize(plain)
    net = MODELS.build(
        dict(cfg, plugins=[plugin(p, postfix=p) for p in positions]))
    # from scratch too: the initialization of the backbone must not undo it
    net.init_weights()
    missing, unexpected = net.load_state_dict(plain.state_dict(), strict=False)
    assert missing and not unexpected
    assert all('spatial_bias_plugin' in key for key in missing)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        plain.eval(), net.eval()
        assert all(map(torch.equal, net(x), plain(x)))

    net.train()
    layers = layers_of(net)
    assert layers
    optimizer = torch.optim.SGD(net.parameters(), lr=.01)
    for _ in range(2):
        optimizer.zero_grad()
        sum((out * torch.randn_like(out)).mean() for out in net(x)).backward()
        optimizer.step()
    for name, layer in layers.items():
        for key, param in layer.named_parameters():
            assert param.grad.abs().sum() > 0, f'{name}.{key}'


def test_a_layer_by_itself_starts_at_zero():
    x = torch.rand(2, 8, 12, 9)
    assert torch.equal(SpatialBiasPlugin(8)(x), x)


@pytest.mark.parametrize('cfg', [{}, dict(norm_eval=True)])
def test_norms_learn_unless_they_came_with_the_checkpoint(cfg):
    net = MODELS.build(
        dict(
            type='mmdet.ResNet',
            depth=50,
            base_channels=8,
            norm_eval=True,
            frozen_stages=1,
            plugins=[plugin(stages=(True, ) * 4, **cfg)]))
    net.train()
    net(torch.randn(2, 3, 64, 64))
    assert not net.layer2[0].bn1.num_batches_tracked
    for name, layer in layers_of(net).items():
        fixed = cfg or name.startswith('layer1')  # which is frozen
        assert layer.norm.num_batches_tracked == (0 if fixed else 1)


@pytest.mark.parametrize('sb', [False, True])
def test_positions_in_mmpretrain_are_those_of_mmdetection(sb):
    """MMPreTrain has no plugins of its own."""
    cfg = dict(
        depth=50, base_channels=8, stem_channels=8,
        out_indices=range(4), sb_stages=(sb, ) * 4, plugins=[
            plugin(position, (True, ) * 4, postfix=f'_{position}')
            for position in POSITIONS])
    ours, theirs = (
        MODELS.build(dict(cfg, type=f'{scope}.SBResNet')).eval()
        for scope in ('mmpretrain', 'mmdet'))
    assert len(layers_of(ours)) == 3 * 16
    for layer in layers_of(ours).values():
        nn.init.normal_(layer.expansion.weight, 0, .1)
    theirs.load_state_dict(randomize(ours).state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert all(map(torch.equal, ours(x), theirs(x)))


def test_several_in_a_block_need_postfixes():
    several = [plugin(postfix=1), plugin(postfix=2), plugin('after_conv1')]
    cfg = dict(type='mmdet.ResNet', depth=50, base_channels=8)
    net = MODELS.build(dict(cfg, plugins=several))
    names = [name for name in layers_of(net) if name.startswith('layer2.0.')]
    assert names == [
        'layer2.0.spatial_bias_plugin', 'layer2.0.spatial_bias_plugin1',
        'layer2.0.spatial_bias_plugin2'
    ]
    with pytest.raises(AssertionError, match='duplicate plugin'):
        MODELS.build(dict(cfg, plugins=[plugin(), plugin('after_conv3')]))


def test_wrong_use_in_the_words_of_the_toolbox():
    cfg = dict(type='mmdet.ResNet', depth=50)
    with pytest.raises(AssertionError):
        MODELS.build(dict(cfg, plugins=[plugin('before_conv1')]))
    with pytest.raises(AssertionError):
        MODELS.build(dict(cfg, plugins=[plugin(stages=(True, ))]))
    with pytest.raises(ValueError, match=r'\(N, 8, H, W\).*\(1, 4, 8, 8\)'):
        SpatialBiasPlugin(8)(torch.rand(1, 4, 8, 8))
    with pytest.raises(ValueError, match='in_channels must be a positive'):
        SpatialBiasPlugin(0)


def test_few_parameters():
    def count(module):
        return sum(param.numel() for param in module.parameters())

    name, layer = build_plugin_layer(
        dict(type='SpatialBiasPlugin'), in_channels=256)
    assert name == 'spatial_bias_plugin'
    maps = 256 * 5 + 2 * 5 + 100 * 100 * 3 + 100 + 2 * 3
    assert count(layer) == maps + 3 * 256


@pytest.mark.parametrize('other', [
    dict(type='NonLocal2d', reduction=2),
    dict(type='ContextBlock', ratio=1 / 4), 'dcn'
])
@pytest.mark.parametrize('scope, cls', [('mmdet', 'SBResNet'),
                                        ('mmseg', 'SBResNetV1c')])
def test_sb_together_with_others_in_a_block(other, scope, cls):
    cfg = dict(
        type=f'{scope}.{cls}', depth=50, base_channels=16, stem_channels=8)
    if other == 'dcn':
        cfg.update(
            dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
            stage_with_dcn=(False, True, True, True))
    else:
        cfg['plugins'] = [
            dict(
                cfg=other,
                stages=(False, True, True, False),
                position='after_conv2')
        ]
    net = MODELS.build(cfg)
    net.init_weights()
    randomize(net)
    nn.init.constant_(net.layer2[1].conv3.weight[:, -3:], .1)
    net.train()
    sum(out.square().mean()
        for out in net(torch.randn(2, 3, 64, 64))).backward()
    for name, param in net.layer2[1].named_parameters():
        if name != 'conv2.bias':  # before a norm
            assert param.grad is not None, name


def test_in_a_neck_as_documented():
    text = (ROOT / 'docs/plugin.md').read_text()
    example = re.search(r'```python\n(from .*?)```', text, re.S)[1]
    exec(example, {})
    neck = MODELS.build(
        dict(
            type='mmdet.SpatialBiasFPN',
            in_channels=[8, 16],
            out_channels=8,
            num_outs=3))
    outs = neck((torch.rand(1, 8, 16, 16), torch.rand(1, 16, 8, 8)))
    assert [tuple(out.shape) for out in outs] == [(1, 8, 16, 16), (1, 8, 8, 8),
                                                  (1, 8, 4, 4)]
    assert len(layers_of(neck)) == 2
