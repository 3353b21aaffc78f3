"""Hooks of the runner, and the allocator."""
import gc
import itertools
import json
import os
import subprocess
import sys

import pytest
import torch
from conftest import CLS_CONFIG, DEMO, randomize, train
from mmcv.ops import RoIAlign
from mmengine.config import Config
from mmengine.registry import MODELS, OPTIM_WRAPPERS, init_default_scope
from mmengine.runner import Runner
from torch.nn import functional as F

from sb_mm.allocator import collector_off
from sb_mm.analysis.work_dirs import Run
from sb_mm.engine import (BiasAblationHook, bfloat16_optim_wrapper,
                          to_channels_last)
from sb_mm.models import SpatialBias, SpatialBiasPlugin
from sb_mm.models.bias_effects import sb_blocks


def demo_model(**backbone):
    cfg = Config.fromfile(DEMO)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.update(base_channels=8, stem_channels=8, **backbone)
    cfg.model.neck.in_channels = [32, 64, 128, 256]
    model = randomize(MODELS.build(cfg.model))
    model.eval()
    return model


@pytest.mark.parametrize('backbone', [
    dict(),
    dict(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, False, False))
], ids=['roi_align', 'dcn'])
def test_the_operators_of_mmcv_read_what_they_should(backbone):
    model = demo_model(**backbone)
    for name, parameter in model.named_parameters():
        if 'conv_offset' in name:
            torch.nn.init.normal_(parameter, 0, .1)
    rois = torch.tensor([[0., 10, 20, 90, 70], [1, 30, 5, 60, 100]])
    x = torch.randn(2, 3, 97, 128)

    def features():
        with torch.no_grad():
            maps = model.extract_feat(x)
            return [*maps, model.roi_head.bbox_roi_extractor(maps[:4], rois)]

    expected = features()
    to_channels_last(model)
    outs = features()
    assert outs[0].is_contiguous(memory_format=torch.channels_last)
    for out, want in zip(outs, expected):
        torch.testing.assert_close(
            out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_subclasses_of_the_operators_of_mmcv_are_found():
    class Align(RoIAlign):
        pass

    model = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3), Align(2))
    to_channels_last(model)
    assert [len(m._forward_pre_hooks) for m in model] == [0, 1]


def test_strided_convolution_of_few_channels_has_the_right_gradients():
    """That of oneDNN writes past its workspace in channels_last."""
    conv = torch.nn.Conv2d(8, 32, 1, stride=2, bias=False)
    x = torch.randn(4, 8, 33, 47)
    conv(x).square().sum().backward()
    expected = conv.weight.grad.clone()
    conv.zero_grad()
    net = to_channels_last(torch.nn.Sequential(conv))
    net(x.to(memory_format=torch.channels_last)).square().sum().backward()
    torch.testing.assert_close(conv.weight.grad, expected)
    assert conv.weight.is_contiguous()


def test_bfloat16_steps_are_those_of_float32_to_its_precision():
    x, weights = torch.randn(32, 64), []
    for type in ('OptimWrapper', 'BFloat16OptimWrapper'):
        torch.manual_seed(0)
        net = torch.nn.Linear(64, 64)
        wrapper = OPTIM_WRAPPERS.build(
            dict(type=type, optimizer=torch.optim.SGD(net.parameters(), .1)))
        start = net.weight.detach().clone()
        with wrapper.optim_context(net):
            out = net(x)
            wrapper.update_params(F.cross_entropy(out, x.argmax(1)))
        weights.append((net.weight - start).detach())
    assert out.dtype == torch.bfloat16 and net(x).dtype == torch.float32
    error = (weights[1] - weights[0]).norm() / weights[0].norm()
    assert 0 < error < .01


@pytest.mark.parametrize('ratio', (.5, 6.))
def test_bfloat16_says_where_it_does_not_pay(monkeypatch, ratio, log):
    monkeypatch.setattr(bfloat16_optim_wrapper, '_cost_of_bfloat16',
                        lambda: ratio)
    net = torch.nn.Linear(1, 1)
    OPTIM_WRAPPERS.build(
        dict(type='BFloat16OptimWrapper',
             optimizer=torch.optim.SGD(net.parameters(), .1)))
    said = any('6.0 times as long in bfloat16' in line for line in log.messages)
    assert said == (ratio > 1)


def test_measuring_bfloat16_draws_no_random_numbers():
    """Seeds train as they did."""
    before = torch.get_rng_state()
    assert bfloat16_optim_wrapper._cost_of_bfloat16() > 0
    assert torch.equal(before, torch.get_rng_state())


def test_memory_is_kept_once_asked_for():
    code = """
from sb_mm.allocator import allocator, reuse_memory
print(allocator(), reuse_memory(), allocator(), sep='|')
import resource, torch
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(1 << 23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    counts = {}
    env = {k: v for k, v in os.environ.items() if k != 'LD_PRELOAD'}
    for value, expected in (('0', 'glibc|False|glibc'),
                            ('1', 'glibc|True|glibc, memory reused')):
        out = subprocess.run([sys.executable, '-c', code],
                             env=dict(env, SB_MM_REUSE_MEMORY=value),
                             check=True, stdout=subprocess.PIPE,
                             text=True).stdout.splitlines()
        assert out[-2] == expected
        counts[value] = int(out[-1])
    assert counts['1'] < counts['0'] / 10


def test_collector_is_on_again():
    with pytest.raises(KeyError), collector_off(), collector_off():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_hook_trains_with_the_same_losses(tiny, trained, tmp_path):
    config = tmp_path / 'maskrcnn_channels_last.py'
    config.write_text(f"""
_base_ = '{DEMO}'
custom_hooks = [dict(type='ChannelsLastHook')]
""")
    work_dir = train(config, tmp_path / 'work_dir', tiny)
    checkpoint = torch.load(work_dir / 'iter_4.pth', weights_only=False)
    weight = checkpoint['state_dict']['backbone.conv1.weight']
    assert weight.is_contiguous(memory_format=torch.channels_last)
    ours, theirs = (Run(folder).losses for folder in (work_dir, trained))
    assert sorted(ours) == sorted(theirs) == [1, 2, 3, 4]
    for step, loss in theirs.items():
        assert ours[step] == pytest.approx(loss, rel=1e-3)


def test_effects_are_logged_and_change_nothing(tiny, trained, tmp_path):
    config = tmp_path / 'maskrcnn_effects.py'
    config.write_text(f"""
_base_ = '{DEMO}'
custom_hooks = [dict(type='BiasEffectHook', interval=2)]
""")
    work_dir = train(config, tmp_path / 'work_dir', tiny)
    ours, theirs = (Run(folder).losses for folder in (work_dir, trained))
    assert ours == theirs
    log, = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    effects = [{key: value for key, value in record.items()
                if key.startswith('effect/')}
               for record in records if 'loss' in record]
    assert not effects[0]  # of the first iteration
    assert {f'effect/layer{i}.{j}' for i in (1, 2, 3) for j in (0, 1)
            } == effects[1].keys() == effects[3].keys()
    assert all(0 < value < 1 for value in effects[1].values())
    assert effects[1] != effects[3]


@pytest.fixture
def classifier(trained_cls, tmp_path):
    """A runner, random weights, and images for the backbone."""
    dumped, = trained_cls.glob('*.py')
    cfg = Config.fromfile(dumped)
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    randomize(runner.model).eval()
    return runner, torch.randn(2, 3, 64, 96)


@torch.no_grad()
def ablated(runner, x, **kwargs):
    """Output of the backbone, and the maps that each block read."""
    backbone, maps = runner.model.backbone, []
    hook = BiasAblationHook(**kwargs)
    hook.before_test(runner)
    handles = [block.conv2.register_forward_pre_hook(
        lambda conv, args: maps.append(args[0][:, -conv.num_maps:]))
        for block, _ in sb_blocks(backbone).values()]
    out, = backbone(x)
    for handle in handles:
        handle.remove()
    hook.after_test(runner)
    return out, maps


@torch.no_grad()
def test_ablation_of_the_maps(classifier):
    runner, x = classifier
    backbone = runner.model.backbone
    plain = backbone(x)[0]
    blocks = sb_blocks(backbone)
    block, layer = blocks['layer1.0']
    seen = []
    handle = layer.norm.register_forward_hook(
        lambda _, args, out: seen.append(out))
    backbone(x)
    handle.remove()
    mean, maps = ablated(runner, x, maps='mean')
    assert len(maps) == len(blocks) == 6  # two in each of three stages
    want = seen[0].mean((2, 3), keepdim=True).relu()
    assert want.std() > .01 < seen[0].std((2, 3)).mean()
    torch.testing.assert_close(maps[0], want.expand_as(maps[0]))
    constant, _ = ablated(runner, x, maps='constant')
    last, _ = ablated(
        runner, x, maps='constant', stages=[False, False, True, False])
    assert torch.equal(backbone(x)[0], plain)  # it has ended
    for ours, theirs in itertools.combinations(
            (plain, mean, constant, last), 2):
        assert not torch.allclose(ours, theirs, rtol=1e-3)
    # the other way: norms that give nothing but their biases
    for name in ('layer3.0', 'layer3.1', *blocks):
        if name == 'layer1.0':
            torch.testing.assert_close(backbone(x)[0], last)
        blocks[name][1].norm.weight.zero_()
    torch.testing.assert_close(backbone(x)[0], constant)


@torch.no_grad()
@pytest.mark.parametrize('maps', ['mean', 'constant'])
def test_ablation_of_the_plugin(classifier, maps):
    runner, _ = classifier
    plugin = randomize(SpatialBiasPlugin(8)).eval()
    torch.nn.init.normal_(plugin.expansion.weight)
    runner.model.backbone = torch.nn.Sequential(plugin)
    x = torch.randn(2, 8, 12, 16)
    full, read = plugin(x), SpatialBias.forward(plugin, x)
    replaced = (read.mean((2, 3), keepdim=True) if maps == 'mean' else
                plugin.norm.bias.view(1, -1, 1, 1).expand(2, -1, -1, -1))
    want = x + plugin.expansion(replaced.relu())
    hook = BiasAblationHook(maps)
    hook.before_test(runner)
    torch.testing.assert_close(plugin(x), want)
    hook.after_test(runner)
    assert torch.equal(plugin(x), full) and not torch.allclose(full, want)


def test_ablation_that_cannot_be(classifier):
    runner, x = classifier
    with pytest.raises(ValueError, match="maps must be 'mean' or 'constant'"):
        BiasAblationHook('zero')
    for stages, message in (([True], 'each of the 4 stages'),
                            ([False] * 3 + [True], 'SBResNet has no SB in')):
        with pytest.raises(ValueError, match=message):
            ablated(runner, x, maps='mean', stages=stages)


def test_ablation_by_the_command(tiny_cls, trained_cls, run_tool, tmp_path):
    options = [f'default_hooks.ablation.{option}' for option in (
        'type=BiasAblationHook', 'maps=mean', 'stages=True,True,False,False')]
    result = run_tool('test.py', CLS_CONFIG, trained_cls / 'iter_4.pth',
                      '--work-dir', 'test', '--tta', '--cfg-options',
                      *tiny_cls, *options)
    assert not result.returncode, result.stdout
    assert 'accuracy/top1' in result.stdout
