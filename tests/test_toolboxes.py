"""What holds between the three toolboxes."""
import pytest
import torch
from conftest import randomize
from mmengine.registry import MODELS
from torch import nn

SCOPES = ('mmdet', 'mmseg', 'mmpretrain')


def build(scope, type='SBResNet', **kwargs):
    return MODELS.build(
        dict(
            type=f'{scope}.{type}',
            out_indices=(0, 1, 2, 3),
            norm_eval=False,
            **{
                'depth': 50,
                'stem_channels': 8,
                'base_channels': 8,
                **kwargs
            }))


@pytest.mark.parametrize('kwargs', [
    dict(depth=18),
    dict(),
    dict(type='SBResNetV1d'),
    dict(
        sb_stages=(False, True, True, True),
        sb_cfg=dict(num_maps=1, pool_size=4)),
])
@pytest.mark.parametrize('source', SCOPES)
def test_the_same_weights_give_the_same_outputs(kwargs, source):
    """Whichever toolbox saved them, in training and in evaluation."""
    nets = {scope: build(scope, **kwargs) for scope in SCOPES}
    weights = randomize(nets[source]).state_dict()
    for net in nets.values():
        net.load_state_dict(weights)
    x = torch.randn(2, 3, 65, 97)
    for mode in (True, False):
        outs = []
        for net in nets.values():
            net.train(mode)
            outs.append(net(x))
        for first, second, third in zip(*outs):
            assert torch.equal(first, second) and torch.equal(first, third)


@pytest.mark.parametrize('source', SCOPES)
def test_v1c_weights_of_another_toolbox(source):
    nets = {
        scope: build(scope, 'SBResNetV1c')
        for scope in ('mmseg', 'mmpretrain')
    }
    nets['mmdet'] = build('mmdet', deep_stem=True)
    weights = randomize(nets[source]).state_dict()
    x = torch.randn(1, 3, 64, 64)
    outs = []
    for net in nets.values():
        net.load_state_dict(weights)
        net.eval()
        outs.append(net(x)[-1])
    assert torch.equal(outs[0], outs[1]) and torch.equal(outs[0], outs[2])


@pytest.mark.parametrize('scope', SCOPES)
def test_a_deep_stem_of_timm(scope):
    """It calls the whole stem ``conv1``, but for its last norm, ``bn1``."""
    net = randomize(build(scope, 'SBResNetV1d'))
    weights = {key: value for key, value in net.state_dict().items()
               if not key.startswith('stem.')}
    theirs = nn.ModuleDict(dict(
        conv1=nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 8, 3, 1, 1, bias=False)),
        bn1=nn.BatchNorm2d(8)))
    weights.update(randomize(theirs).state_dict())
    net.load_state_dict(weights)
    net.eval(), theirs.eval()
    x = torch.randn(1, 3, 65, 97)
    torch.testing.assert_close(
        net.stem(x), theirs.bn1(theirs.conv1(x)).relu())
