"""What works on a ResNet works on ours.

Each ability is tried on the plain network of the toolbox, on the one with SB
and on the plain one with the plugin layer, so that a row that fails on ours
alone is ours to mend.
"""
import copy
import io
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
import torch.distributed as dist
from conftest import randomize
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.registry import MODELS
from mmengine.model import ExponentialMovingAverage, revert_sync_batchnorm
from mmengine.model.efficient_conv_bn_eval import \
    turn_on_efficient_conv_bn_eval
from torch import nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.functional import jvp, vhp
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.utils.checkpoint import checkpoint_sequential

from sb_mm.apis.export import TRACING
from sb_mm.engine import to_channels_last

NETS = dict(
    plain=dict(type='mmdet.ResNet'),
    sb=dict(type='mmdet.SBResNet'),
    plugin=dict(
        type='mmdet.ResNet',
        plugins=[
            dict(
                cfg=dict(type='SpatialBiasPlugin'),
                stages=(True, True),
                position='after_conv2')
        ]))
#: Odd ones, and one of a single position in the last stage.
SIZES = ((64, 96), (33, 47), (65, 40), (97, 31), (8, 8))

#: For what PyTorch links against itself.
links = pytest.mark.skipif(
    ' ' in torch.__file__, reason='PyTorch does not quote its own path')
pytestmark = [
    pytest.mark.filterwarnings('ignore::DeprecationWarning'),
    pytest.mark.filterwarnings('ignore::UserWarning'),
    pytest.mark.filterwarnings('ignore::FutureWarning')
]


def build(name, **kwargs):
    """Two stages of two blocks, whose SB has an effect."""
    net = MODELS.build(
        dict(
            depth=50,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
            stem_channels=16,
            base_channels=16,
            norm_eval=False,
            **NETS[name],
            **kwargs))
    for layer in net.res_layers:
        del getattr(net, layer)[2:]
    for key, param in net.named_parameters():
        if key.endswith('expansion.weight'):
            nn.init.normal_(param, 0, .1)
    return randomize(net)


@pytest.fixture(params=list(NETS))
def net(request):
    net = build(request.param)
    net.eval()
    return net


@pytest.fixture(params=[pytest.param('plain', marks=pytest.mark.slow), 'sb'])
def block(request):
    """A block with a stride, where a row takes long, the toolbox's own longer
    than the suite may."""
    return build(request.param).layer2[0].eval()


def image(height=33, width=47, batch=2):
    return torch.randn(batch, 3, height, width)


def features(height=33, width=47):
    return torch.randn(2, 64, height, width)


def assert_close(outs, expected, tolerance=1e-4):
    assert len(outs) == len(expected)
    for out, want in zip(outs, expected):
        assert out.shape == want.shape
        torch.testing.assert_close(
            out, want, rtol=0, atol=tolerance * want.abs().max().item())


def step(net, x):
    outs = net(x)
    outs = [outs] if torch.is_tensor(outs) else outs
    sum(out.square().mean() for out in outs).backward()


def gradients(net, x):
    net.zero_grad()
    step(net, x)
    return [p.grad.clone() for p in net.parameters()]


def relative_errors(outs, expected):
    return [((out - want).norm() / want.norm()).item()
            for out, want in zip(outs, expected)]


@pytest.mark.parametrize('training', [True, False])
def test_fx_trace(net, training):
    net.train(training)
    traced = torch.fx.symbolic_trace(net)
    for size in SIZES[:4]:
        x = image(*size)
        assert_close(traced(x), net(x))


def test_fx_static_quantisation(net):
    """With 8 bits the outputs are a few per cent off, on ours no more."""
    images = [image() for _ in range(4)]
    with torch.no_grad():
        expected = net(images[0])
        prepared = quantize_fx.prepare_fx(
            copy.deepcopy(net),
            quantization.get_default_qconfig_mapping('x86'), (images[0], ))
        for x in images:
            prepared(x)
        quantised = quantize_fx.convert_fx(prepared)
        errors = relative_errors(quantised(images[0]), expected)
    assert max(errors) < .1
    assert any('quantized' in type(m).__module__ for m in quantised.modules())


def test_efficient_conv_bn_eval(net):
    x = image()
    expected = net(x)
    turn_on_efficient_conv_bn_eval(net, ['layer1', 'layer2'])
    assert_close(net(x), expected)


def test_fuse_conv_bn(net):
    x = image()
    expected = net(x)
    assert_close(fuse_conv_bn(net)(x), expected)


def test_fuse_modules(net):
    x = image()
    expected = net(x)
    triples = [['conv1', 'bn1', 'relu']]
    for name, module in net.named_modules():
        if hasattr(module, 'reduction'):
            triples.append([
                f'{name}.reduction.{part}'
                for part in ('conv', 'bn', 'activate')
            ])
    fused = quantization.fuse_modules(net, triples)
    assert_close(fused(x), expected)


@links
def test_compile_of_inference_for_all_sizes(block):
    """Once for all of them."""
    torch.compiler.reset()
    compiled = torch.compile(block, dynamic=True, fullgraph=True)
    with torch.no_grad(), torch._dynamo.config.patch(
            recompile_limit=1, fail_on_recompile_limit_hit=True):
        for size in SIZES[1:]:  # a height of 64 would be taken for the channels
            x = features(*size)
            assert_close([compiled(x)], [block(x)])


@links
@pytest.mark.parametrize('size', [
    SIZES[1], *(pytest.param(size, marks=pytest.mark.slow)
                for size in SIZES if size != SIZES[1])
])
def test_compile_of_training(block, size):
    """PyTorch compiles a backward pass for each size, also the plain one's,
    which takes long."""
    torch.compiler.reset()
    block.train()
    compiled = torch.compile(block, dynamic=True, fullgraph=True)
    x = features(*size)
    ours, theirs = (gradients(net, x) for net in (compiled, block))
    for got, want in zip(ours, theirs):
        assert (got - want).norm() <= 1e-3 * want.norm() + 1e-4


def test_jit_trace(net):
    with warnings.catch_warnings():
        warnings.simplefilter('error', torch.jit.TracerWarning)
        traced = torch.jit.trace(net, image())
    for size in SIZES[:4]:
        x = image(*size, batch=3)
        assert_close(traced(x), net(x))


def export(net, x):
    sizes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    return torch.export.export(net, (x, ), dynamic_shapes=(sizes, ))


def test_export_with_dynamic_shapes(net):
    module = export(net, image()).module()
    # the max pooling of the stem tells odd sizes from even ones
    for size in ((33, 47), (65, 35), (97, 31), (37, 43)):
        for batch in (1, 3):
            x = image(*size, batch=batch)
            assert_close(module(x), net(x))


@links
def test_ahead_of_time_inductor(block, tmp_path):
    with torch.no_grad():
        package = torch._inductor.aoti_compile_and_package(
            export(block, features()),
            package_path=str(tmp_path / 'block.pt2'))
        loaded = torch._inductor.aoti_load_package(package)
        for size in SIZES:
            x = features(*size)
            assert_close([loaded(x)], [block(x)])


@pytest.mark.parametrize('dynamic', [True, False])
@pytest.mark.parametrize('exporter', ['torchscript', 'dynamo'])
def test_onnx(net, exporter, dynamic):
    pytest.importorskip('onnx')
    runtime = pytest.importorskip('onnxruntime')
    options = dict(input_names=['x'], output_names=['a', 'b'])
    if exporter == 'dynamo':
        pytest.importorskip('onnxscript')
        program = export(net, image()) if dynamic else torch.export.export(
            net, (image(), ))
        model = torch.onnx.export(
            program, dynamo=True, verbose=False,
            **options).model_proto.SerializeToString()
    else:
        if dynamic:
            options['dynamic_axes'] = dict(x={0: 'n', 2: 'h', 3: 'w'})
        file = io.BytesIO()
        torch.onnx.export(
            net, (image(), ), file, opset_version=17, **TRACING, **options)
        model = file.getvalue()
    session = runtime.InferenceSession(
        model, providers=['CPUExecutionProvider'])
    for size in SIZES[:4] if dynamic else [(33, 47)]:
        x = image(*size)
        outs = session.run(None, dict(x=x.numpy()))
        assert_close([torch.tensor(np.asarray(out)) for out in outs], net(x),
                     1e-3)


def block_of(net):
    """A block in float64, and an input for it."""
    return net.layer2[1].double(), torch.randn(
        1, 128, 5, 4, dtype=torch.double)


def test_jvp(net):
    block, x = block_of(net)
    v, step = torch.randn_like(x), 1e-6
    _, product = jvp(block, x, v)
    difference = (block(x + step * v) - block(x - step * v)) / (2 * step)
    torch.testing.assert_close(product, difference, rtol=1e-6, atol=1e-6)
    _, forward = torch.func.jvp(block, (x, ), (v, ))
    torch.testing.assert_close(forward, product)


def test_hessian_vector_product(net):
    block, x = block_of(net)
    block.relu = nn.Softplus()  # ReLU's own second derivative is zero
    v, step = torch.randn_like(x), 1e-5

    def loss(x):
        return block(x).square().sum()

    def grad(x):
        return torch.func.grad(loss)(x)

    _, product = vhp(loss, x, v)
    difference = (grad(x + step * v) - grad(x - step * v)) / (2 * step)
    torch.testing.assert_close(product, difference, rtol=1e-5, atol=1e-5)


def test_gradcheck(net):
    block, x = block_of(net)
    block.relu = nn.Softplus()
    x = x[..., :2].contiguous().requires_grad_()

    def few(x):
        return block(x).flatten()[::37]

    assert gradcheck(few, x, fast_mode=True)
    assert gradgradcheck(few, x, fast_mode=True)


def test_vmap_of_gradients(net):
    block, x = block_of(net)
    x = torch.cat([x, 2 * x])

    def loss(x):
        return block(x[None]).square().sum()

    each = [torch.func.grad(loss)(sample) for sample in x]
    together = torch.func.vmap(torch.func.grad(loss))(x)
    torch.testing.assert_close(together, torch.stack(each))


@pytest.fixture
def process_group():
    dist.init_process_group(
        'gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_ddp(net, process_group):
    net.train()
    twin, x = copy.deepcopy(net), image()
    ours = gradients(nn.parallel.DistributedDataParallel(net), x)
    assert all(map(torch.equal, ours, gradients(twin, x)))


@pytest.mark.parametrize('by_block', [True, False])
def test_fsdp(request, net, process_group, by_block):
    """Also that it takes the weights of a plain network then."""
    x = image()
    options = dict(device_id=torch.device('cpu'), use_orig_params=True)
    plain = build('plain')
    if by_block:
        for layer in net.res_layers:
            stage = getattr(net, layer)
            for i, block in enumerate(stage):
                stage[i] = FSDP(block, **options)
    wrapped = FSDP(net, **options)
    if 'plugin' not in request.node.callspec.id:
        wrapped.load_state_dict(plain.state_dict(), strict=False)
        plain.eval(), wrapped.eval()
        assert_close(wrapped(x), plain(x))
    wrapped.train()
    step(wrapped, x)


@pytest.mark.parametrize('reentrant', [True, False])
def test_activation_checkpointing(net, reentrant):
    x = image().requires_grad_()
    twin = copy.deepcopy(net)
    stem = nn.Sequential(twin.conv1, twin.bn1, twin.relu, twin.maxpool)
    for model in (net, twin):
        model.zero_grad()
    step(net, x)
    first = checkpoint_sequential(
        twin.layer1, 2, stem(x), use_reentrant=reentrant)
    second = checkpoint_sequential(
        twin.layer2, 2, first, use_reentrant=reentrant)
    step(lambda outs: outs, (first, second))
    for ours, theirs in zip(twin.parameters(), net.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_checkpoint_wrapper(request, net):
    """By block, and with the weights of a plain network."""
    x, plain = image(), build('plain')
    for layer in net.res_layers:
        stage = getattr(net, layer)
        for i, block in enumerate(stage):
            stage[i] = checkpoint_wrapper.checkpoint_wrapper(block)
    expected = net(x)
    weights = net.state_dict()
    net.load_state_dict(weights)
    assert_close(net(x), expected, 0)
    if 'plugin' not in request.node.callspec.id:
        net.load_state_dict(plain.state_dict())
        plain.eval()
        assert_close(net(x), plain(x))


def test_copies(net):
    x = image()
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_close(other(x), expected, 0)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    assert_close(torch.load(file, weights_only=False)(x), expected, 0)


def test_meta_device(request, net):
    x, expected = image(), net(image())
    with torch.device('meta'):
        other = build(request.node.callspec.params['net'])
    assert net.state_dict().keys() == other.state_dict().keys()
    other.load_state_dict(net.state_dict(), assign=True)
    other.eval()
    assert_close(other(x), net(x), 0)
    assert len(expected) == 2


def test_state_dict_hooks(net):
    seen = []
    net._register_state_dict_hook(lambda *args: seen.append('save'))
    net.register_load_state_dict_post_hook(lambda *args: seen.append('load'))
    net.load_state_dict(net.state_dict())
    assert seen == ['save', 'load']


def test_threads(net):
    """Two threads, two sizes, one network."""
    inputs = [image(*size) for size in SIZES[:2]]
    expected = [net(x) for x in inputs]
    results = [[], []]

    def infer(i):
        with torch.no_grad():
            results[i] += [net(inputs[i]) for _ in range(10)]

    threads = [threading.Thread(target=infer, args=(i, )) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outs, want in zip(results, expected):
        assert len(outs) == 10
        for out in outs:
            assert_close(out, want, 1e-6)


def test_channels_last(net):
    x = image().to(memory_format=torch.channels_last)
    expected = net(x.contiguous())
    outs = to_channels_last(net)(x)
    assert_close(outs, expected)
    for out in outs:
        assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(net, dtype):
    x = image()
    expected = net(x)
    with torch.autocast('cpu', dtype):
        outs = net(x)
    assert all(out.dtype == dtype for out in outs)
    assert max(relative_errors(outs, expected)) < .05


def test_moving_average(net):
    x = image()
    average = ExponentialMovingAverage(net, momentum=.5)
    before = [p.clone() for p in average.module.parameters()]
    with torch.no_grad():
        for param in net.parameters():
            param += 1
    average.update_parameters(net)  # the first only copies
    average.update_parameters(net)
    assert all(
        torch.allclose(p, b + 1, atol=1e-5)
        for p, b in zip(average.module.parameters(), before))
    average.eval()
    assert len(average(x)) == 2


def test_sync_bn_conversion(net):
    x = image()
    expected = net(x)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert not any(type(m) is nn.BatchNorm2d for m in converted.modules())
    back = revert_sync_batchnorm(converted)
    back.eval()
    assert_close(back(x), expected)


def test_training_after_inference_mode(net):
    with torch.inference_mode():
        net(image())
    net.train()
    step(net, image())
    assert all(p.grad is not None for p in net.parameters())
