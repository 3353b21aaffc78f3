"""Networks that are compared start from the same weights."""
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

import sb_mm.comparison  # noqa: F401
from sb_mm.engine import SameStartHook


class Runner:
    """What the hook takes of a runner."""
    iter, seed = 0, 3

    class logger:
        info = staticmethod(lambda text: None)

    def __init__(self, **backbone):
        init_default_scope('mmpretrain')
        self.cfg = Config(
            dict(model=dict(
                type='ImageClassifier',
                backbone=dict(type='SBResNet_CIFAR', depth=20, **backbone),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead', num_classes=10, in_channels=256))))
        self.model = MODELS.build(self.cfg.model)
        self.model.init_weights()


OFF = dict(backbone=dict(sb_stages=(False, ) * 3, plugins=None))


def test_same_start():
    plain, sb, gc = (
        Runner(sb_stages=(False, ) * 3), Runner(sb_stages=(True, ) * 3),
        Runner(
            sb_stages=(False, ) * 3,
            plugins=[dict(
                cfg=dict(type='GlobalContext'), position='after_conv3')]))
    columns = sb.model.backbone.layer1[0].conv3.weight[:, 16:].clone()
    for runner in (plain, sb, gc):
        SameStartHook(OFF).before_train(runner)
    start = plain.model.state_dict()
    for runner in (sb, gc):
        weights = runner.model.state_dict()
        assert start.keys() < weights.keys()
        for name, value in start.items():
            own = weights[name]
            if own.dim() > 1:
                own = own[:, :value.size(1)]
            assert torch.equal(own, value), name
    # the columns that read the maps stay what they were drawn as
    assert torch.equal(sb.model.backbone.layer1[0].conv3.weight[:, 16:],
                       columns)
    # what GCNet adds starts at nothing
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(
        gc.model.eval()(x)[0], plain.model.eval()(x)[0])


def test_another_seed_is_another_start():
    one, other = Runner(), Runner()
    other.seed = 4
    for runner in (one, other):
        SameStartHook(OFF).before_train(runner)
    assert not torch.equal(one.model.backbone.conv1.weight,
                           other.model.backbone.conv1.weight)


def test_resumed_run_keeps_its_weights():
    runner = Runner()
    runner.iter = 5
    before = runner.model.backbone.conv1.weight.clone()
    SameStartHook(OFF).before_train(runner)
    assert torch.equal(runner.model.backbone.conv1.weight, before)


def test_twin_of_another_shape():
    runner = Runner()
    with pytest.raises(ValueError, match=r'conv1.weight has the shape'):
        SameStartHook(dict(backbone=dict(stem_channels=8, base_channels=8))
                      ).before_train(runner)


@pytest.mark.parametrize('layer, position', [
    ('SpatialBiasPlugin', 'after_conv2'), ('NonLocal2d', 'after_conv2'),
    ('GlobalContext', 'after_conv3')])
def test_plugins_start_at_nothing(layer, position):
    """In MMPreTrain's ResNet, which takes none by itself."""
    plain = Runner(sb_stages=(False, ) * 3).model.eval()
    runner = Runner(sb_stages=(False, ) * 3, plugins=[
        dict(cfg=dict(type=layer), stages=(False, True, True),
             position=position)])
    net = runner.model.eval()
    assert [hasattr(block[0], f'{position}_plugin_names') for block in (
        net.backbone.layer1, net.backbone.layer2)] == [False, True]
    net.load_state_dict(plain.state_dict(), strict=False)
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(net(x)[0], plain(x)[0])


def test_plugins_change_the_output_once_trained():
    net = Runner(plugins=[
        dict(cfg=dict(type='SqueezeExcitation'), position='after_conv3')
    ]).model.eval()
    x = torch.rand(2, 3, 32, 32)
    before = net(x)[0]
    for block in net.backbone.layer3:
        block.norm3.weight.data.fill_(1)  # starts at 0
    middle = net(x)[0]
    for block in net.backbone.layer3:
        for parameter in getattr(
                block, block.after_conv3_plugin_names[0]).parameters():
            parameter.data.mul_(3)
    assert not torch.allclose(before, middle)
    assert not torch.allclose(middle, net(x)[0])


@pytest.mark.parametrize('plugins, depth, message', [
    ([dict(cfg=dict(type='NonLocal2d'), position='after_conv4')], 20,
     'position must be one of'),
    ([dict(cfg=dict(type='NonLocal2d'), position='after_conv2',
           stages=(True, ))], 20, 'one bool for each of the 3 stages'),
    ([dict(cfg=dict(type='NonLocal2d'), position='after_conv2')] * 2, 20,
     'give each a postfix'),
    ([dict(cfg=dict(type='NonLocal2d'), position='after_conv2')], 18,
     'bottlenecks do')])
def test_plugins_that_do_not_fit(plugins, depth, message):
    init_default_scope('mmpretrain')
    with pytest.raises(ValueError, match=message):
        MODELS.build(
            dict(type='SBResNet_CIFAR', depth=depth, plugins=plugins))
