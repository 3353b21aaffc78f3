from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import randomize
from torch import nn

from sb_mm.checkpoints import from_authors
from sb_mm.models import SpatialBias
from sb_mm.models.mmdet_resnet import SBBottleneck
from sb_mm.models.pooling import pool_by_matrices

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
    return layer.norm(x)


@pytest.fixture(params=[False, True], ids=['', 'deterministic'])
def deterministic(request):
    torch.use_deterministic_algorithms(request.param)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures('deterministic')
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


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_pools_like_adaptive_avg_pool2d(dtype):
    tolerance = dict(rtol=0, atol=10 * torch.finfo(dtype).eps)
    for k in (1, 3, 6, 10):
        for size in (1, 2, 5, 9, 10, 11, 20, 33, 64, 199, 334):
            x = torch.rand(2, 3, size, 7, dtype=dtype)
            torch.testing.assert_close(
                pool_by_matrices(x, k), F.adaptive_avg_pool2d(x, k),
                **tolerance)


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


@pytest.mark.parametrize('shape, size', [
    ((1, 1), None), ((1, 1), (2, 3)), ((3, 2), (1, 1))])
def test_one_value_falls_back_on_running_statistics(shape, size):
    """Where either norm, that of the input's size or that of the maps', has
    one value."""
    layer = SpatialBias(8)
    x = torch.randn(1, 8, *shape)
    trained, expected = layer.train()(x, size), layer.eval()(x, size)
    assert torch.equal(trained, expected)
    assert layer.train()(x, size) is not None and layer.norm.training
    assert not layer.norm.running_mean.any()
    if shape == (1, 1):  # the first norm refuses, the second is not asked
        assert layer.norm.num_batches_tracked == 0


@pytest.mark.parametrize('mode', [True, False])
def test_errors_of_pytorch_itself_are_left_to_it(mode):
    with pytest.raises(RuntimeError, match='type') as caught:
        SpatialBias(8).train(mode)(torch.rand(2, 8, 4, 4).double())
    assert caught.type is RuntimeError and not caught.value.__cause__


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


@pytest.mark.parametrize('x, message', [
    (torch.rand(1, 7, 4, 4), r'\(N, 8, H, W\).* got \(1, 7, 4, 4\)'),
    (torch.rand(8, 4, 4), r'\(N, 8, H, W\).* got \(8, 4, 4\)'),
    (torch.rand(1, 8, 4, 4, 4), r'\(N, 8, H, W\).* got \(1, 8, 4, 4, 4\)'),
    (torch.rand(1, 8, 0, 4), r'not be empty, but got \(1, 8, 0, 4\)'),
    (torch.ones(1, 8, 4, 4, dtype=torch.long),
     'floating point, but got torch.int64'),
])
@pytest.mark.parametrize('mode', [True, False])
def test_refuses_input(x, message, mode):
    with pytest.raises(ValueError, match=f'^SpatialBias: x must .*{message}$'):
        SpatialBias(8).train(mode)(x)


class PaperBottleneck(nn.Module):
    """The block of the paper's Fig. 2, from its text: one BN over features and
    maps, and every position of the 1D convolution summed up by hand."""

    def __init__(self, planes, k=10, maps=3, taps=3):
        super().__init__()
        width = planes + maps
        self.k, self.maps, self.taps = k, maps, taps
        self.conv1 = nn.Conv2d(4 * planes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.reduce = nn.Conv2d(planes, maps + taps - 1, 1, bias=False)
        self.reduce_bn = nn.BatchNorm2d(maps + taps - 1)
        self.w = nn.Parameter(torch.randn(k * k, k * k, taps) / (10 * k))
        self.b = nn.Parameter(torch.randn(k * k))

    def forward(self, x):
        z = self.bn1(self.conv1(x)).relu()
        y = self.conv2(z)
        p = F.adaptive_avg_pool2d(self.reduce_bn(self.reduce(z)).relu(), self.k)
        p = p.flatten(2)  # N, channels, positions
        maps = []
        for i in range(self.maps):  # the convolution slides along the channels
            window = p[:, i:i + self.taps]
            maps.append(torch.einsum('ntp,qpt->nq', window, self.w) + self.b)
        maps = torch.stack(maps, 1).unflatten(2, (self.k, self.k))
        maps = F.interpolate(maps, y.shape[2:], mode='bilinear')
        y = self.bn2(torch.cat([y, maps], 1)).relu()
        return (x + self.bn3(self.conv3(y))).relu()


def test_equals_the_block_written_from_the_paper():
    theirs = randomize(PaperBottleneck(16))
    ours = SBBottleneck(64, 16, sb_cfg={})
    weights = {
        key: value
        for key, value in theirs.state_dict().items()
        if key.startswith(('conv', 'bn1', 'bn3'))
    }
    for key, value in theirs.bn2.state_dict().items():
        if value.dim():
            weights[f'bn2.{key}'] = value[:16]
            weights[f'spatial_bias.norm.{key}'] = value[16:]
    for name, layer in (('conv', theirs.reduce), ('bn', theirs.reduce_bn)):
        for key, value in layer.state_dict().items():
            weights[f'spatial_bias.reduction.{name}.{key}'] = value
    weights['spatial_bias.mix.weight'] = theirs.w
    weights['spatial_bias.mix.bias'] = theirs.b
    missing, unexpected = ours.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all('num_batches_tracked' in key for key in missing)
    x = torch.randn(3, 64, 23, 31)
    for mode in (True, False):
        results = []
        for block in (ours, theirs):
            block.train(mode)
            z = x.clone().requires_grad_()
            y = block(z)
            (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
            results.append((y, z.grad, block.conv1.weight.grad))
            block.zero_grad()
        for got, want in zip(*results):
            torch.testing.assert_close(
                got, want, rtol=0, atol=1e-4 * want.abs().max().item())


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
