import pytest
import torch
from conftest import randomize
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.models.backbones import ResNet, ResNetV1d, ResNeXt
from mmdet.registry import MODELS
from mmengine.runner import load_checkpoint
from torch import nn

from sb_mm.checkpoints import to_plain
from sb_mm.models.mmdet_resnet import SBResNet, SBResNetV1d, SBResNeXt
from sb_mm.models.residual_block import SBBlockMixin

#: As the configs of the toolbox build it; small, to be quick.
DETECTION = dict(
    depth=50, base_channels=8, frozen_stages=1, norm_eval=True)
PAIRS = [(ResNet, SBResNet, dict(depth=18)),
         (ResNet, SBResNet, dict(depth=50)),
         (ResNet, SBResNet, dict(depth=101)),
         (ResNetV1d, SBResNetV1d, dict(depth=50)),
         (ResNeXt, SBResNeXt, dict(depth=50, groups=4, base_width=16))]


def trained_plain(x, **kwargs):
    """A plain network whose fixed statistics suit its weights."""
    net = random_plain(**{**kwargs, 'norm_eval': False, 'frozen_stages': -1})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.
    net.train()
    net(x)
    return net


def count(net):
    return sum(param.numel() for param in net.parameters())


def random_plain(cls=ResNet, **kwargs):
    net = cls(**kwargs)
    net.init_weights()
    return randomize(net)


def sb_columns(block):
    return getattr(block, block.reader).weight[:, -block.spatial_bias.num_maps:]


def step(net, optimizer, x):
    optimizer.zero_grad()
    sum((out * torch.linspace(-1, 1, out.numel()).view_as(out)).mean()
        for out in net(x)).backward()
    optimizer.step()


def test_parameters():
    classifier = 2048 * 1000 + 1000
    plain, sb = count(ResNet(depth=50)), count(SBResNet(depth=50))
    assert (plain, sb) == (23_508_032, 23_937_620)
    assert (plain + classifier, sb + classifier) == (25_557_032, 25_986_620)


def test_registered_in_the_scope_of_the_toolbox():
    for cls in (SBResNet, SBResNetV1d, SBResNeXt):
        assert MODELS.get(f'mmdet.{cls.__name__}') is cls


@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_depths(depth):
    net = SBResNet(depth=depth, base_channels=4).eval()
    blocks = sum(ResNet.arch_settings[depth][1][:3])
    assert sum('mix.weight' in name for name in net.state_dict()) == blocks
    outs = net(torch.rand(1, 3, 64, 64))
    assert [out.shape[-1] for out in outs] == [16, 8, 4, 2]


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_plain_checkpoint_gives_the_plain_outputs(plain_cls, sb_cls, cfg,
                                                  tmp_path):
    plain = random_plain(plain_cls, base_channels=16, **cfg)
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    loaded = sb_cls(
        base_channels=16,
        init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'plain.pth')),
        **cfg)
    loaded.init_weights()
    strict = sb_cls(base_channels=16, **cfg)
    strict.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 65, 97)
    with torch.no_grad():
        expected = plain.eval() or plain(x)
        for net in (loaded, strict):
            for out, want in zip(net.eval()(x), expected):
                torch.testing.assert_close(
                    out, want, rtol=0, atol=1e-5 * want.abs().max().item())


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_zero_init_begins_as_the_plain_network(plain_cls, sb_cls, cfg,
                                               tmp_path):
    cfg = dict(base_channels=16, **cfg)
    net = sb_cls(sb_zero_init=True, **cfg)
    net.init_weights()
    plain = plain_cls(**cfg)
    plain.load_state_dict(to_plain(net.state_dict())[0])
    plain.eval()
    x = torch.randn(2, 3, 65, 97)
    with torch.no_grad():
        for out, want in zip(net.eval()(x), plain(x)):
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())
    # what a checkpoint has stays, whoever asks again
    for block in net._blocks():
        nn.init.ones_(sb_columns(block))
    torch.save(net.state_dict(), tmp_path / 'sb.pth')
    loaded = sb_cls(
        sb_zero_init=True,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'sb.pth')),
        **cfg)
    for _ in range(2):
        loaded.init_weights()
        weights = loaded.state_dict()
        for name, value in net.state_dict().items():
            assert torch.equal(weights[name], value), name


def test_full_resnet50_through_load_checkpoint(tmp_path):
    plain = random_plain(depth=50)
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    net = SBResNet(depth=50)
    load_checkpoint(net, str(tmp_path / 'plain.pth'))
    x = torch.randn(1, 3, 96, 64)
    plain.eval()
    with torch.no_grad():
        for out, want in zip(net.eval()(x), plain(x)):
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_sb_learns_from_a_plain_checkpoint_under_freezing():
    """With the freezing of the detection configs, the columns move in the
    first step, the branch in the second, and what is frozen stays."""
    x = torch.randn(2, 3, 64, 64)
    net = SBResNet(**DETECTION)
    net.load_state_dict(trained_plain(x, **DETECTION).state_dict())
    start = {
        name: module.num_batches_tracked.item()
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    }
    net.train()
    blocks = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, SBBlockMixin)
    }
    assert len(blocks) == 13
    optimizer = torch.optim.SGD(
        [p for p in net.parameters() if p.requires_grad], lr=.1)

    before = {name: p.clone() for name, p in net.named_parameters()}
    assert not any(sb_columns(block).any() for block in blocks.values())
    step(net, optimizer, x)
    assert all(
        sb_columns(block).ne(0).any(dim=0).all() for block in blocks.values())
    step(net, optimizer, x)

    moved = {
        name
        for name, p in net.named_parameters() if not torch.equal(
            p, before[name])
    }
    sb = {name for name in before if 'spatial_bias' in name}
    assert sb <= moved
    readers = {f'{name}.conv3.weight' for name in blocks}
    frozen = {
        name
        for name in before if name.startswith(('conv1', 'bn1', 'layer1'))
    } - sb - readers
    assert frozen and not frozen & moved
    for name, batches in start.items():
        seen = net.get_submodule(name).num_batches_tracked - batches
        assert seen == (2 if 'spatial_bias' in name else 0)


def test_sb_that_came_with_the_checkpoint_is_frozen_like_the_rest():
    net = SBResNet(sb_pretrained=True, **DETECTION)
    net.load_state_dict(SBResNet(**DETECTION).state_dict())
    net.train()
    assert not any(p.requires_grad for p in net.layer1.parameters())
    assert all(p.requires_grad for p in net.layer2.parameters())
    assert not any(m.training for m in net.modules()
                   if isinstance(m, nn.BatchNorm2d))


def test_one_line_says_how_many_blocks_were_extended(log):
    net = SBResNet(**DETECTION)
    net.load_state_dict(random_plain(**DETECTION).state_dict())
    line, = [line for line in log.messages if 'plain weights' in line]
    assert '13 of 13 blocks took plain weights' in line
    log.clear()
    net.load_state_dict(net.state_dict())
    assert not log.messages


def test_an_unknown_name_in_a_block_is_told():
    net = SBResNet(**DETECTION)
    weights = random_plain(**DETECTION).state_dict()
    weights['layer1.0.gate'] = weights['layer1.0.conv1.weight']
    with pytest.raises(RuntimeError, match='Unexpected.*"layer1.0.gate"'):
        net.load_state_dict(weights)


@pytest.mark.parametrize('frozen_stages, norm_eval', [
    (1, False), (-1, True), (-1, False)])
def test_warns_of_an_sb_branch_that_stays_dead(log, frozen_stages, norm_eval):
    cfg = dict(DETECTION, frozen_stages=frozen_stages, norm_eval=norm_eval)
    net = SBResNet(sb_pretrained=True, **cfg)
    net.load_state_dict(random_plain(**cfg).state_dict())
    dead = frozen_stages > 0 or norm_eval
    assert ('Set sb_pretrained=False' in log.text) == dead


def test_norm_cfg_without_grad_leaves_the_branch_trainable():
    net = SBResNet(norm_cfg=dict(type='BN', requires_grad=False), **DETECTION)
    assert not net.layer2[0].bn2.weight.requires_grad
    assert net.layer2[0].spatial_bias.norm.weight.requires_grad


@pytest.mark.parametrize('plain_cls, sb_cls, cfg', PAIRS)
def test_without_sb_it_is_the_network_of_the_toolbox(plain_cls, sb_cls, cfg):
    plain = random_plain(plain_cls, base_channels=16, **cfg)
    net = sb_cls(base_channels=16, sb_stages=(False, ) * 4, **cfg)
    assert list(net.state_dict()) == list(plain.state_dict())
    net.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 48)
    net.eval(), plain.eval()
    assert all(map(torch.equal, net(x), plain(x)))


@pytest.mark.parametrize('shape', [(1, 3, 32, 32), (3, 3, 33, 47),
                                   (1, 3, 1, 1), (1, 3, 200, 1333)])
@pytest.mark.parametrize('dtype', [None, torch.bfloat16])
def test_sizes_and_batches(shape, dtype):
    plain, net = ResNet(**DETECTION), SBResNet(**DETECTION)
    x = torch.randn(shape)
    for mode in (True, False):
        net.train(mode), plain.train(mode)
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            outs, expected = net(x), plain(x)
        for out, want in zip(outs, expected):
            assert out.shape == want.shape and out.dtype == want.dtype
            assert out.isfinite().all()


@pytest.mark.parametrize('grad', [True, False])
def test_autocast_is_close_to_float32(grad):
    net = randomize(SBResNet(**DETECTION)).eval()
    weights = [net.layer2[1].conv3.weight, net.layer2[1].conv1.weight]
    x = torch.randn(2, 3, 128, 128)
    results = []
    for enabled in (False, True):
        with torch.set_grad_enabled(grad):
            with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
                outs = net(x)
            results.append([
                *outs,
                *(torch.autograd.grad(outs[2].float().square().mean(),
                                      weights) if grad else ())
            ])
    for want, out in zip(*results):
        assert (out - want).norm() < .05 * want.norm()


def test_checkpointing_gives_the_same_gradients():
    plugins = [
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 4, postfix=i),
            stages=(False, True, True, True),
            position=f'after_conv{i}') for i in (2, 3)
    ]
    cfg = dict(depth=50, base_channels=8, plugins=plugins)
    nets = [SBResNet(**cfg), SBResNet(with_cp=True, **cfg)]
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.randn(2, 3, 64, 64, requires_grad=True)
    grads = []
    for net in nets:
        net.train()
        sum(out.mean() for out in net(x)).backward()
        grads.append({n: p.grad for n, p in net.named_parameters()})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad)


def test_options_of_the_toolbox():
    net = SBResNet(
        depth=50,
        base_channels=8,
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
        plugins=[
            dict(
                cfg=dict(type='NonLocal2d', reduction=1),
                stages=(False, True, False, False),
                position='after_conv2')
        ],
        style='caffe',
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        out_indices=(1, 3)).eval()
    outs = net(torch.rand(1, 3, 64, 64))
    assert [tuple(out.shape[1:]) for out in outs] == [(64, 8, 8), (256, 4, 4)]


def test_fused_norms_give_the_same_outputs():
    net = randomize(SBResNet(depth=50, base_channels=8)).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = net(x)
        fused = fuse_conv_bn(net)
        assert isinstance(fused.layer1[0].bn3, nn.Identity)
        for out, want in zip(fused(x), expected):
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())


@pytest.mark.parametrize('memory_format',
                         [torch.contiguous_format, torch.channels_last])
def test_memory_formats_give_the_same(memory_format):
    net = randomize(SBResNet(depth=50, base_channels=16)).eval()
    x = torch.randn(2, 3, 65, 97)
    with torch.no_grad():
        expected = net(x)
        net = net.to(memory_format=memory_format)
        outs = net(x.to(memory_format=memory_format))
        for out, want in zip(outs, expected):
            assert out.is_contiguous(memory_format=memory_format)
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())


@pytest.mark.parametrize('depth, norm', [(18, 'norm1'), (50, 'norm2')])
@pytest.mark.parametrize('memory_format',
                         [torch.contiguous_format, torch.channels_last])
def test_norms_get_dense_gradients(depth, norm, memory_format):
    """Those of slices of the stack are slow in the backward pass of BN."""
    net = SBResNet(depth=depth, base_channels=16).to(
        memory_format=memory_format)
    block, found = net.layer1[0], []
    norms = {getattr(block, norm): memory_format,  # maps are contiguous there
             block.spatial_bias.norm: torch.contiguous_format}
    for module in norms:
        module.register_full_backward_hook(
            lambda module, _, gradients: found.append(
                gradients[0].is_contiguous(memory_format=norms[module])))
    x = torch.randn(2, 3, 65, 97).to(memory_format=memory_format)
    net.train()(x)[0].square().sum().backward()
    assert found == [True, True]


@pytest.mark.parametrize('stages', [1, pytest.param(
    2, marks=pytest.mark.slow)])
def test_compiles_as_one_graph_for_all_sizes(stages):
    """One graph without breaks, and none more than the plain network, whose
    max pooling tells odd sizes from even ones."""

    def graphs(cls):
        net = cls(
            depth=50,
            base_channels=8,
            num_stages=stages,
            strides=(1, 2)[:stages],
            dilations=(1, 1)[:stages],
            out_indices=(0, 1)[:stages])
        net.eval()
        seen = []

        def count(graph, inputs):
            seen.append(graph)
            return graph.forward

        torch.compiler.reset()
        compiled = torch.compile(
            net, backend=count, fullgraph=True, dynamic=True)
        with torch.no_grad():
            for size in ((64, 96), (96, 64), (128, 96), (65, 97)):
                x = torch.randn(1, 3, *size)
                for out, want in zip(compiled(x), net(x)):
                    torch.testing.assert_close(
                        out, want, rtol=0, atol=1e-5 * want.abs().max().item())
        return len(seen)

    assert graphs(SBResNet) == graphs(ResNet) < 4


@pytest.mark.parametrize('kwargs, message', [
    (dict(sb_stages=(True, True, True)), 'sb_stages must have one bool'),
    (dict(sb_stages=(1, 1, 1, 0)), 'sb_stages must have one bool'),
    (dict(sb_stages=True), 'sb_stages must have one bool'),
    (dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1),
          out_indices=(2, ), sb_stages=(True, ) * 4), 'each of the 3 stages'),
    (dict(sb_cfg=dict(norm_cfg=dict(type='GN', num_groups=32))),
     "norm_cfg=.*'num_groups': 32.* does not fit 5 and 3 channels"),
    (dict(conv_cfg=dict(type='SAC', use_deform=False)),
     'conv_cfg: .* one of Conv2d, .* but got SAConv2d'),
    (dict(sb_cfg=dict(pool_size=0)), 'pool_size must be a positive integer'),
    (dict(sb_cfg=dict(pool=10)), r"unknown keys \['pool'\].*pool_size"),
])
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(
            dict(type='SBResNet', depth=50, base_channels=8, **kwargs))


def test_checkpoint_of_another_network_is_refused():
    net = SBResNet(depth=50, base_channels=8)
    other = ResNet(depth=50, base_channels=16)
    with pytest.raises(
            ValueError,
            match=r'conv1.weight .*\(16, 3, 7, 7\).*\(8, 3, 7, 7\)'):
        net.load_state_dict(other.state_dict(), strict=False)
    maps = SBResNet(depth=50, base_channels=8, sb_cfg=dict(num_maps=5))
    with pytest.raises(ValueError, match=r'layer1.0.*\(.*fits neither'):
        net.load_state_dict(maps.state_dict(), strict=False)


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('given, wanted', [(False, True), (True, False)])
def test_shortcuts_are_not_taken_for_each_other(depth, given, wanted):
    """A pooling that the checkpoint's network has and this one does not."""
    cfg = dict(depth=depth, base_channels=8)
    net = SBResNet(avg_down=wanted, **cfg)
    with pytest.raises(
            ValueError,
            match=f'layer2.0.downsample .*avg_down={given}.*'
            f'avg_down={wanted}'):
        net.load_state_dict(ResNet(avg_down=given, **cfg).state_dict())
    # where they do the same they are one
    stride_1 = dict(cfg, strides=(1, ) * 4)
    plain = random_plain(avg_down=given, **stride_1)
    net = SBResNet(avg_down=wanted, **stride_1)
    net.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 32, 32)
    plain.eval(), net.eval()
    for out, want in zip(net(x), plain(x)):
        torch.testing.assert_close(
            out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_instance_norm_loads_its_own_weights():
    net = SBResNetV1d(depth=50, base_channels=8, norm_cfg=dict(type='IN'))
    net.load_state_dict(net.state_dict())


@pytest.mark.parametrize('conv', ['ConvWS', 'ConvAWS'])
def test_standardised_weights_give_the_plain_outputs(conv):
    """The new columns do not count in the mean and variance of a kernel, and
    what the checkpoint of an ordinary ResNet lacks comes from the others."""
    cfg = dict(
        depth=50,
        base_channels=8,
        conv_cfg=dict(type=conv),
        norm_cfg=dict(type='GN', num_groups=8))
    plain = ResNet(**cfg)
    weights = plain.state_dict()
    if conv == 'ConvAWS':
        weights = {
            k: v
            for k, v in weights.items() if 'gamma' not in k and 'beta' not in k
        }
        plain.load_state_dict(weights, strict=False)
    net = SBResNet(**cfg)
    net.load_state_dict(weights, strict=False)
    x = torch.randn(1, 3, 64, 64)
    plain.eval(), net.eval()
    for out, want in zip(net(x), plain(x)):
        torch.testing.assert_close(
            out, want, rtol=0, atol=1e-5 * want.abs().max().item())
    sum(out.mean() for out in net(x)).backward()
    assert not sb_columns(net.layer2[1]).any()
    assert net.layer2[1].conv3.weight.grad[:, -3:].any()


@pytest.mark.parametrize('kind', ['GN', nn.GroupNorm])
def test_group_norm_has_one_group_in_the_branch(kind):
    net = SBResNet(
        depth=50, base_channels=32, norm_cfg=dict(type=kind, num_groups=32))
    assert net.layer1[0].gn2.num_groups == 32
    branch = net.layer1[0].spatial_bias
    assert branch.norm.num_groups == branch.reduction.norm.num_groups == 1


def test_rebuilt_convolution_keeps_what_its_class_has():
    net = SBResNet(depth=18, conv_cfg=dict(type='ConvWS', eps=.5))
    assert net.layer1[0].conv2.eps == net.layer1[0].conv1.eps == .5


def test_plain_weights_on_the_meta_device():
    plain = random_plain(**DETECTION)
    with torch.device('meta'):
        net = SBResNet(**DETECTION)
    net.load_state_dict(plain.state_dict(), assign=True)
    assert not any(t.is_meta for t in net.state_dict().values())
    x = torch.randn(1, 3, 64, 64)
    plain.eval(), net.eval()
    for out, want in zip(net(x), plain(x)):
        torch.testing.assert_close(
            out, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_weights_that_cannot_be_had():
    net = SBResNet(
        depth=50,
        base_channels=8,
        init_cfg=dict(type='Pretrained', checkpoint='gone.pth'))
    with pytest.raises(
            RuntimeError,
            match='gone.pth.*init_cfg.checkpoint=FILE.*init_cfg=None'):
        net.init_weights()


@pytest.mark.parametrize('deep_stem', [False, True])
def test_weights_of_which_nothing_fits(deep_stem, tmp_path):
    """MMEngine leaves the network at random with lines of the log."""
    path = tmp_path / 'model.pth'

    def build(**kwargs):
        return SBResNet(
            depth=18, base_channels=4, deep_stem=deep_stem, init_cfg=dict(
                type='Pretrained', checkpoint=str(path), **kwargs))

    given = randomize(build()).state_dict()
    torch.save({'net.neck.weight': torch.zeros(1),
                **{f'net.backbone.{name}': value
                   for name, value in given.items()}}, path)
    with pytest.raises(RuntimeError, match='nothing of .*model.pth fits SBRes.*'
                       "they begin with .*init_cfg takes prefix='net.backbone.'"):
        build().init_weights()
    net = build(prefix='net.backbone.')
    net.init_weights()
    assert all(torch.equal(value, given[name])
               for name, value in net.state_dict().items())
    torch.save(dict(classifier=torch.zeros(1)), path)
    with pytest.raises(RuntimeError, match='they begin with classifier$'):
        build().init_weights()
