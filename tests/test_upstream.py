"""What the toolboxes promise of their ResNet holds for its twin with SB."""
import copy
import inspect

import pytest
import torch
from mmdet.models import backbones as mmdet_backbones
from mmpretrain.models import backbones as mmpretrain_backbones
from mmseg.models import backbones as mmseg_backbones

from sb_mm.models import mmdet_resnet, mmpretrain_resnet, mmseg_resnet

PAIRS = dict(
    mmdet=(mmdet_backbones.ResNet, mmdet_resnet.SBResNet),
    mmseg=(mmseg_backbones.ResNet, mmseg_resnet.SBResNet),
    mmpretrain=(mmpretrain_backbones.ResNet, mmpretrain_resnet.SBResNet))
NARROW = dict(stem_channels=8, base_channels=8)


@pytest.fixture(params=PAIRS)
def pair(request):
    return PAIRS[request.param]


def error_of(cls, kwargs):
    try:
        net = cls(**{**NARROW, **kwargs})
        net.init_weights()
        net(torch.rand(1, 3, 32, 32))
    except Exception as error:
        return type(error), str(error).replace('SBResNet', 'ResNet')


@pytest.mark.parametrize('kwargs', [
    dict(depth=20),
    dict(depth='50'),
    dict(depth=20, num_stages=5),  # which of the two comes first
    dict(depth=50, num_stages=0),
    dict(depth=50, num_stages=5),
    dict(depth=50, num_stages=3),  # out_indices of four
    dict(depth=50, out_indices=(4, )),
    dict(depth=50, strides=(1, )),
    dict(depth=50, dilations=(1, 1, 1), strides=(1, 2, 2)),
    dict(depth=50, style='tensorflow'),
    dict(depth=50, norm_cfg=dict(type='None')),
    dict(depth=50, pretrained=0),
    dict(depth=50, pretrained='a', init_cfg=dict(type='Pretrained')),
    dict(depth=50, init_cfg=dict(type='None')),
    dict(depth=50, unknown=1),
    dict(depth=18, plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1 / 16),
             position='after_conv3')]),
    dict(depth=50, plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1 / 16),
             position='after_conv4')]),
    dict(depth=50, plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1 / 16),
             stages=(True, ), position='after_conv3')]),
    dict(depth=50, plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1 / 16),
             position='after_conv3')] * 2),
    dict(depth=18, dcn=dict(type='DCN', deform_groups=1,
                            fallback_on_stride=False),
         stage_with_dcn=(False, True, True, True)),
], ids=str)
def test_wrong_arguments_give_the_same_errors_in_the_same_order(pair, kwargs):
    if 'plugins' in kwargs and 'mmpretrain' in pair[0].__module__:
        return  # it has none, ours has: test_same_start.py
    plain, ours = (error_of(cls, kwargs) for cls in pair)
    assert ours == plain


@pytest.mark.parametrize('kwargs', [
    dict(out_indices=(0, )),
    dict(out_indices=(1, 3)),
    dict(out_indices=(0, 1, 2, 3)),
    dict(num_stages=1, strides=(1, ), dilations=(1, ), out_indices=(0, )),
    dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1),
         out_indices=(1, 2)),
    dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
    dict(deep_stem=True),
    dict(avg_down=True),
    dict(style='caffe'),
    dict(in_channels=5),
    dict(norm_cfg=dict(type='GN', num_groups=4)),
], ids=str)
@pytest.mark.parametrize('depth', [18, 50])
def test_shapes(pair, depth, kwargs):
    x = torch.rand(1, kwargs.get('in_channels', 3), 65, 97)
    nets = [cls(depth, **NARROW, **kwargs) for cls in pair]
    for net in nets:
        net.eval()
    plain, ours = (net(x) for net in nets)
    assert type(ours) is type(plain)
    assert [out.shape for out in ours] == [out.shape for out in plain]


@pytest.mark.parametrize('deep_stem', [False, True])
@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 2, 3, 4])
def test_frozen_stages_freeze_what_a_plain_network_freezes(
        pair, frozen_stages, deep_stem):
    nets = [
        cls(50, frozen_stages=frozen_stages, deep_stem=deep_stem, **NARROW,
            **more) for cls, more in zip(pair, ({}, dict(sb_pretrained=True)))
    ]
    for net in nets:
        net.init_weights()
        net.train()
    plain, ours = nets
    for (name, want), (_, got) in zip(
            plain.named_parameters(),
            ((n, p) for n, p in ours.named_parameters()
             if 'spatial_bias' not in n), strict=True):
        assert got.requires_grad == want.requires_grad, name
    modes = dict(ours.named_modules())
    for name, module in plain.named_modules():
        if not list(module.children()):
            assert modes[name].training == module.training, name


def test_checkpointing_changes_no_gradient(pair):
    net = pair[1](50, **NARROW)
    other = copy.deepcopy(net)
    for module in other.modules():
        if hasattr(module, 'with_cp'):
            module.with_cp = True
    x = torch.rand(2, 3, 64, 64)
    for each in (net, other):
        each.train()
        sum(out.square().mean() for out in each(x)).backward()
    for (name, want), got in zip(net.named_parameters(), other.parameters()):
        difference = (got.grad - want.grad).norm()
        assert difference <= 1e-4 * want.grad.norm() + 1e-6, name


@pytest.mark.parametrize('position',
                         ['after_conv1', 'after_conv2', 'after_conv3'])
def test_plugins_stand_where_those_of_a_plain_network_stand(pair, position):
    if 'plugins' not in inspect.signature(pair[0]).parameters:
        return  # MMPreTrain's has none
    plugins = [
        dict(cfg=dict(type='ContextBlock', ratio=1 / 4, postfix=1),
             stages=(False, True, True, False), position=position)
    ]
    plain, ours = (
        cls(50, plugins=copy.deepcopy(plugins), **NARROW) for cls in pair)
    added = {name for name in plain.state_dict() if 'context_block1' in name}
    assert added == {
        name for name in ours.state_dict() if 'context_block1' in name}
    ours.load_state_dict(plain.state_dict())
    plain.eval(), ours.eval()
    x = torch.rand(1, 3, 65, 97)
    for out, want in zip(ours(x), plain(x)):
        torch.testing.assert_close(
            out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def zeros(net):
    return {
        name for name, parameter in net.named_parameters()
        if 'spatial_bias' not in name and not parameter.any()
    }


@pytest.mark.parametrize('zero_init_residual', [True, False])
@pytest.mark.parametrize('depth', [18, 50])
def test_the_same_weights_start_at_zero(pair, depth, zero_init_residual):
    plain, ours = (
        cls(depth, zero_init_residual=zero_init_residual, **NARROW)
        for cls in pair)
    plain.init_weights(), ours.init_weights()
    assert zeros(ours) == zeros(plain)
