"""What a GPU has to do as a CPU does; where there is one, ``make test`` has these
tests too."""
import copy

import pytest
import torch
from conftest import CLS_CONFIG, ROOT, randomize, train
from mmdet.registry import MODELS

from sb_mm.analysis import benchmark
from sb_mm.engine import to_channels_last
from sb_mm.models import SpatialBias

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a GPU')


def build(type='SBResNet'):
    net = MODELS.build(
        dict(type=type, depth=50, base_channels=16, stem_channels=16))
    net.init_weights()
    return randomize(net)


def run(net, x):
    """Outputs, and the gradients of the input and of all parameters."""
    x = x.clone().requires_grad_()
    outs = net(x)
    outs = [outs] if torch.is_tensor(outs) else outs
    sum(out.square().mean() for out in outs).backward()
    return [*outs, x.grad, *(p.grad for p in net.parameters()
                             if p.grad is not None)]


@pytest.mark.parametrize('mode', [True, False])
def test_as_on_a_cpu(mode):
    x = torch.randn(2, 3, 65, 97, dtype=torch.double)
    for net in (SpatialBias(3), build()):
        net = net.double().train(mode)
        on_gpu = copy.deepcopy(net).cuda()
        results = run(net, x), run(on_gpu, x.cuda())
        assert len(results[0]) > 5
        for want, got in zip(*results):
            # a bias before a norm has no gradient, but for rounding
            torch.testing.assert_close(got.cpu(), want, rtol=1e-9, atol=1e-9)


def test_training_is_deterministic(monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    net, x = build().cuda(), torch.randn(2, 3, 64, 96).cuda()
    torch.use_deterministic_algorithms(True)
    try:
        results = [run(copy.deepcopy(net), x) for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, *results))


def test_plain_checkpoint_gives_the_plain_outputs():
    plain, net = build('ResNet').cuda(), build().cuda()
    plain.eval(), net.eval()
    net.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 65, 97).cuda()
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        for out, want in zip(net(x), plain(x)):
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())


@pytest.mark.parametrize('dtype, tolerance', [(torch.float16, .02),
                                              (torch.bfloat16, .1)])
def test_autocast_is_close_to_float32(dtype, tolerance):
    net = to_channels_last(build().cuda().eval())
    x = torch.randn(2, 3, 64, 96).cuda()
    x = x.to(memory_format=torch.channels_last)
    with torch.no_grad():
        want = net(x)
        with torch.autocast('cuda', dtype):
            outs = net(x)
    for out, each in zip(outs, want):
        assert (out - each).norm() < tolerance * each.norm()


def test_graphs_and_the_compiler_give_the_same():
    net = build().cuda().eval()
    x = torch.randn(2, 3, 64, 96).cuda()
    with torch.no_grad():
        want = net(x)
        graphed = torch.cuda.make_graphed_callables(
            copy.deepcopy(net), (torch.zeros_like(x), ))
        compiled = torch.compile(net, fullgraph=True)
        for outs in (graphed(x), compiled(x)):
            for out, each in zip(outs, want):
                torch.testing.assert_close(
                    out, each, rtol=0, atol=1e-2 * each.abs().max().item())


@pytest.mark.parametrize('options', [
    ['optim_wrapper.type=AmpOptimWrapper'],
    ['optim_wrapper.type=BFloat16OptimWrapper'],
    ['default_hooks.format.type=ChannelsLastHook'],
    ['compile=True'],
])
def test_trains(options, tiny_cls, tmp_path):
    work_dir = train(CLS_CONFIG, tmp_path, [*tiny_cls, *options])
    log, = work_dir.glob('*/vis_data/scalars.json')
    state = torch.load(work_dir / 'iter_4.pth', weights_only=False)
    # which MMEngine logs on a GPU alone
    assert '"memory"' in log.read_text()
    assert all(
        value.isfinite().all() for value in state['state_dict'].values())


def test_benchmark_replays_a_graph():
    configs = [
        ROOT / f'configs/benchmarks/cifar10/{name}_cifar10.py'
        for name in ('r20', 'r20', 'sb_r20')
    ]
    rows = benchmark(
        list(map(str, configs)), device='cuda', sizes=[(32, 32)], graph=True,
        rounds=3)
    assert [row['status'] for row in rows] == ['ok'] * 3
