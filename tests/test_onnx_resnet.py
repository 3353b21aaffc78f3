"""Weights out of ONNX files, against the networks that were exported."""
import sys

import onnx
import pytest
import torch
import torchvision
from conftest import randomize

from sb_mm.apis.export import TRACING
from sb_mm.models.mmdet_resnet import SBResNet
from sb_mm.utils.onnx_resnet import read_onnx_resnet

TRAINING = torch.onnx.TrainingMode


def exported(net, path, **kwargs):
    """Path of the file of a network, whose weights and statistics are random."""
    torch.onnx.export(randomize(net).eval(), (torch.randn(1, 3, 64, 64), ),
                      str(path), **TRACING, **kwargs)
    return str(path)


@pytest.mark.parametrize('folded', [True, False])
@pytest.mark.parametrize('settings', [
    dict(depth=18, base_channels=8, stem_channels=16),
    dict(depth=50, base_channels=8, stem_channels=8, style='caffe'),
    dict(depth=50, base_channels=4, stem_channels=8, style='pytorch'),
])
def test_a_backbone_there_and_back(tmp_path, settings, folded):
    torch.manual_seed(0)
    net = SBResNet(sb_stages=(False, ) * 4, out_indices=(3, ), **settings)
    options = {} if folded else dict(
        training=TRAINING.PRESERVE, do_constant_folding=False)
    weights, found = read_onnx_resnet(
        exported(net, tmp_path / 'net.onnx', **options))
    assert found == settings
    assert weights.keys() == net.state_dict().keys()

    again = SBResNet(sb_stages=(False, ) * 4, out_indices=(3, ), **found)
    again.load_state_dict(weights)
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        (out, ), (want, ) = again.eval()(x), net(x)
    torch.testing.assert_close(
        out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_a_classifier_becomes_a_backbone(run_tool, tmp_path):
    torch.manual_seed(0)
    net = torchvision.models.resnet18()
    exported(net, tmp_path / 'net.onnx')
    result = run_tool('convert_checkpoint.py', 'net.onnx', 'net.pth', '--to',
                      'plain', '--from', 'onnx')
    assert ('a backbone with depth=18, stem_channels=64, base_channels=64\n'
            in result.stdout), result.stdout

    net.fc = net.avgpool = torch.nn.Identity()
    ours = SBResNet(depth=18, out_indices=(3, ), init_cfg=dict(
        type='Pretrained', checkpoint=str(tmp_path / 'net.pth')))
    ours.init_weights()
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        out, = ours.eval()(x)
        want = net(x).view_as(out)
    torch.testing.assert_close(
        out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_a_bias_that_is_left_out(tmp_path):
    net = SBResNet(depth=18, base_channels=4, stem_channels=4,
                   out_indices=(3, ), sb_stages=(False, ) * 4)
    path = exported(net, tmp_path / 'net.onnx', training=TRAINING.PRESERVE,
                    do_constant_folding=False)
    want, _ = read_onnx_resnet(path)
    model = onnx.load(path)
    for node in model.graph.node:
        if node.op_type == 'Conv':
            node.input.append('')  # as the standard allows
    onnx.save(model, path)
    weights, _ = read_onnx_resnet(path)
    torch.testing.assert_close(weights, want, rtol=0, atol=0)


@pytest.mark.parametrize('name, reason', [
    ('mobilenet_v3_small', 'one convolution and a MaxPool do not begin it'),
    ('resnext50_32x4d', 'has groups'),
    ('squeezenet1_0', 'one convolution and a MaxPool do not begin it'),
    ('regnet_y_400mf', 'one convolution and a MaxPool do not begin it'),
])
def test_other_networks(tmp_path, name, reason):
    path = exported(torchvision.models.get_model(name), tmp_path / 'net.onnx')
    with pytest.raises(ValueError, match=f'no plain ResNet: .*{reason}'):
        read_onnx_resnet(path)


class Residual(torch.nn.Module):

    def __init__(self, *block, shortcut=()):
        super().__init__()
        self.block = torch.nn.Sequential(*block)
        self.shortcut = torch.nn.Sequential(*shortcut)

    def forward(self, x):
        return self.shortcut(x) + self.block(x)


def conv():
    return torch.nn.Conv2d(4, 4, 3, padding=1)


@pytest.mark.parametrize('kind, reason', [
    ('with SB', 'it has a Concat'),
    ('of three stages', r'its stages have \[2, 2, 2\] blocks'),
    ('pre-activation', 'is before its convolution'),
    ('of one convolution', 'adds 1 convolutions to 0'),
    ('of four convolutions', 'adds 4 convolutions to 0'),
    ('of two paths', 'adds 2 convolutions to 2'),
    ('with no ReLU at the end', 'it has a Add'),
    ('with another activation', 'it has a LeakyRelu'),
])
def test_blocks_of_another_kind(tmp_path, kind, reason):
    small = dict(depth=18, base_channels=4, stem_channels=4)
    blocks = {
        'pre-activation': lambda: [
            Residual(*(layer for _ in range(2) for layer in (
                torch.nn.BatchNorm2d(4), torch.nn.ReLU(), conv())))],
        'of one convolution': lambda: [Residual(conv())],
        'of four convolutions': lambda: [
            Residual(conv(), conv(), conv(), conv())],
        'of two paths': lambda: [
            Residual(conv(), conv(), shortcut=(conv(), conv()))],
        'with no ReLU at the end': lambda: [
            Residual(conv(), conv()), Residual(conv(), conv())],
        'with another activation': lambda: [
            Residual(conv(), torch.nn.LeakyReLU(), conv())],
    }
    net = {
        'with SB': lambda: SBResNet(**small),
        'of three stages': lambda: SBResNet(
            num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1),
            out_indices=(2, ), sb_stages=(False, ) * 3, **small),
    }.get(kind, lambda: torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2), *blocks[kind]()))()
    path = exported(net, tmp_path / 'net.onnx')
    with pytest.raises(ValueError, match=f'no plain ResNet: .*{reason}'):
        read_onnx_resnet(path)


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ValueError, match='needs onnx: pip install onnx'):
        read_onnx_resnet(tmp_path / 'net.onnx')


@pytest.mark.parametrize('content', [b'', b'no ONNX at all'])
def test_no_network(run_tool, tmp_path, content):
    (tmp_path / 'net.onnx').write_bytes(content)
    result = run_tool('convert_checkpoint.py', 'net.onnx', 'net.pth', '--to',
                      'plain', '--from', 'onnx')
    assert result.returncode == 2
    assert 'error: net.onnx ' in result.stdout
