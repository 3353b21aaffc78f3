from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sb_mm.checkpoints import from_authors
from sb_mm.models import SpatialBias
from sb_mm.models.mmdet_resnet import SBBottleneck
from sb_mm.models.residual_block import _Stack
from sb_mm.models.spatial_bias import PointwiseConv2d

AUTHORS_BLOCKS = (
    Path(__file__).resolve().parents[2] / 'shared/reference/sb_blocks.pt')


def reference(layer, x, size):
    """The layer by the operations that the paper names."""
    k = layer.pool_size
    x = layer.reduction(x)
    x = F.adaptive_avg_pool2d(x, k)
    x = layer.mix(x.flatten(2).permute(0, 2, 1))
    x = x.permute(0, 2, 1).reshape(len(x), layer.num_maps, k, k)
    x = F.interpolate(x, size, mode='bilinear', align_corners=False)
    return F.relu(layer.norm(x))


@pytest.mark.parametrize('cfg', [
    dict(),
    dict(num_maps=1, kernel_size=1, pool_size=1),
    dict(num_maps=5, kernel_size=2, pool_size=6)
])
@pytest.mark.parametrize('shape, size', [((2, 8, 33, 47), None),
                                         ((1, 8, 40, 25), (20, 13)),
                                         ((3, 8, 1, 1), (1, 1)),
                                         ((2, 8, 3, 200), (3, 200))])
def test_equals_the_operations_of_the_paper(cfg, shape, size):
    layer = SpatialBias(8, **cfg)
    x = torch.randn(shape, requires_grad=True)
    out_size = size or shape[-2:]
    for mode in (True, False):
        layer.train(mode)
        out = layer(x, size)
        expected = reference(layer, x, out_size)
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
        weight = torch.randn_like(out)
        grads = [
            torch.autograd.grad((y * weight).sum(), x)[0]
            for y in (out, expected)
        ]
        torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('bias', [True, False])
def test_pointwise_convolution_equals_the_convolution(bias):
    """The matrix product on the CPU, and every case that it leaves out."""
    layer = PointwiseConv2d(67, 32, 1, bias=bias)
    plain = nn.Conv2d(67, 32, 1, bias=bias)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, 67, 9, 14)
    for y in (x, x.to(memory_format=torch.channels_last),
              x[..., ::2], x[:1]):
        grads = []
        for net in (layer, plain):
            z = y.clone(memory_format=torch.preserve_format).requires_grad_()
            out = net(z)
            out.square().sum().backward()
            grads.append((out, z.grad, net.weight.grad))
            net.zero_grad()
        for ours, theirs in zip(*grads):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert layer.fill == 5
    more = torch.cat([x, x[:, :5]], dim=1)
    torch.testing.assert_close(layer(more), plain(x), rtol=1e-4, atol=1e-4)
    for wrong in (x[:, :5], more[:, :71], torch.cat([x, x], dim=1)):
        with pytest.raises(RuntimeError, match='to have 67 channels'):
            layer(wrong)
    with torch.autocast('cpu', torch.bfloat16):
        assert layer(x).dtype == plain(x).dtype == torch.bfloat16


@pytest.mark.parametrize('rectify', [True, False])
@pytest.mark.parametrize('memory_format',
                         [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('dtype, fill', [(torch.float32, 0),
                                         (torch.bfloat16, 5)])
def test_stack_equals_relu_and_concatenation(rectify, memory_format, dtype,
                                             fill):
    results = []
    for one_pass in (True, False):
        torch.manual_seed(0)
        features, maps = (
            torch.randn(2, c, 5, 7).to(dtype).contiguous(
                memory_format=memory_format).requires_grad_() for c in (16, 3))
        if one_pass:
            out = _Stack.apply(features, maps, rectify, fill)
            assert out.is_contiguous(memory_format=memory_format)
        else:
            rectified = F.relu(features) if rectify else features
            zeros = maps.new_zeros(2, fill, 5, 7)
            out = torch.cat([rectified, maps, zeros], dim=1)
        weight = torch.randn(out.shape)
        (out * weight).sum().backward()
        results.append((out, features.grad, maps.grad))
    assert all(map(torch.equal, *results))


def test_deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(2):
            torch.manual_seed(0)
            layer = SpatialBias(16)
            x = torch.randn(2, 16, 37, 21, requires_grad=True)
            layer(x, (19, 11)).square().sum().backward()
            results.append([x.grad, *(p.grad for p in layer.parameters())])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, *results))


def test_one_value_falls_back_on_running_statistics():
    layer = SpatialBias(8)
    x = torch.randn(1, 8, 1, 1)
    trained, expected = layer.train()(x), layer.eval()(x)
    assert torch.equal(trained, expected)
    assert layer.train()(x) is not None and layer.norm.training
    assert layer.norm.num_batches_tracked == 0


def test_usable_in_training_after_inference_mode():
    layer = SpatialBias(8)
    x = torch.randn(2, 8, 21, 17)
    with torch.inference_mode():
        layer(x)
    layer(x).sum().backward()
    assert layer.reduction.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('name, value', [('num_maps', 0), ('kernel_size', -1),
                                         ('pool_size', 0), ('pool_size', 2.5),
                                         ('in_channels', None)])
def test_refuses_sizes(name, value):
    with pytest.raises(ValueError, match=f'{name} must be a positive integer'):
        SpatialBias(**{'in_channels': 8, name: value})


def test_refuses_a_norm_that_does_not_fit():
    with pytest.raises(ValueError, match='norm_cfg=.*num_groups=1'):
        SpatialBias(8, norm_cfg=dict(type='GN', num_groups=32))
    SpatialBias(8, norm_cfg=dict(type='GN', num_groups=1))


@pytest.mark.skipif(
    not AUTHORS_BLOCKS.is_file(), reason='needs the reference tensors')
@pytest.mark.parametrize('stage', ['stage1', 'stage2'])
def test_equals_the_authors_block(stage):
    case = torch.load(AUTHORS_BLOCKS, weights_only=True)[stage]
    planes, stride = case['planes'], case['stride']
    downsample = nn.Sequential(
        nn.Conv2d(
            case['in_channels'], 4 * planes, 1, stride=stride, bias=False),
        nn.BatchNorm2d(4 * planes))
    block = SBBottleneck(
        case['in_channels'],
        planes,
        stride=stride,
        downsample=downsample,
        sb_cfg={})
    block.load_state_dict(from_authors(case['state_dict']))

    def relative(a, b):
        return ((a - b).abs().max() / b.abs().max()).item()

    with torch.no_grad():
        y = block.eval()(case['x'])
    assert relative(y, case['y_eval']) < 1e-4
    x = case['x'].clone().requires_grad_()
    y = block.train()(x)
    assert relative(y, case['y_train']) < 1e-4
    weight = torch.linspace(-1, 1, y.numel()).view_as(y)
    (y * weight).sum().backward()
    assert relative(x.grad, case['grad_x_train']) < 1e-4
