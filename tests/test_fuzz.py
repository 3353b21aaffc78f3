"""Any input gives what a plain ResNet gives, or one clear error.

``make fuzz`` runs 5,000 examples, the suite some hundred.
"""
import os
import re

import pytest
import torch
from conftest import randomize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.models.backbones import ResNet, ResNetV1d
from mmengine.runner import load_checkpoint

from sb_mm.utils.checkpoint_file import checked_weights
from sb_mm.models import SpatialBias
from sb_mm.models.mmdet_resnet import SBResNet, SBResNetV1d

EXAMPLES = int(os.environ.get('SB_MM_FUZZ', 300))


def fuzz(share):
    """A share of the examples."""
    return settings(
        max_examples=max(1, EXAMPLES * share // 100),
        deadline=None,
        derandomize='SB_MM_FUZZ' not in os.environ,
        suppress_health_check=list(HealthCheck))


SIZES = st.integers(1, 70)
STAGES = st.lists(st.booleans(), min_size=4, max_size=4)
NETWORKS = st.fixed_dictionaries(
    dict(
        depth=st.sampled_from([18, 50]),
        base_channels=st.sampled_from([4, 8]),
        deep_stem=st.booleans(),
        style=st.sampled_from(['pytorch', 'caffe']),
        with_cp=st.booleans(),
        dilations=st.sampled_from([(1, 1, 1, 1), (1, 1, 2, 4)]),
        strides=st.sampled_from([(1, 2, 2, 2), (1, 2, 1, 1), (2, 2, 2, 2)])))
SETTINGS = st.fixed_dictionaries(
    dict(
        num_maps=st.integers(1, 5),
        kernel_size=st.integers(1, 4),
        pool_size=st.integers(1, 12)))


@fuzz(40)
@given(
    kwargs=NETWORKS,
    v1d=st.booleans(),
    sb_stages=STAGES,
    sb_cfg=SETTINGS,
    height=SIZES,
    width=SIZES,
    batch=st.integers(1, 3),
    double=st.booleans(),
    channels_last=st.booleans(),
    training=st.booleans())
def test_plain_weights_give_the_plain_outputs(kwargs, v1d, sb_stages, sb_cfg,
                                              height, width, batch, double,
                                              channels_last, training):
    plain_cls, sb_cls = ((ResNetV1d, SBResNetV1d) if v1d else
                         (ResNet, SBResNet))
    if v1d:
        kwargs = {k: v for k, v in kwargs.items() if k != 'deep_stem'}
    plain = randomize(plain_cls(stem_channels=8, **kwargs))
    net = sb_cls(stem_channels=8, sb_stages=sb_stages, sb_cfg=sb_cfg, **kwargs)
    net.load_state_dict(plain.state_dict())
    x = torch.randn(batch, 3, height, width)
    if double:
        plain, net, x = plain.double(), net.double(), x.double()
    if channels_last and not training:
        x = x.to(memory_format=torch.channels_last)
    plain.train(training), net.train(training)
    try:
        with torch.no_grad():
            expected = plain(x)
    except ValueError as error:  # a single value has no batch statistics
        assert 'more than 1 value per channel' in str(error)
        return
    with torch.no_grad():
        outs = net(x)
    # in batch statistics of few values roundings grow
    tolerance = (1e-9 if double else 1e-2 if training else 1e-4)
    for out, want in zip(outs, expected, strict=True):
        assert out.shape == want.shape and out.dtype == want.dtype
        assert (out - want).abs().max() <= tolerance * want.abs().max() + 1e-6


@fuzz(40)
@given(
    channels=st.integers(1, 9),
    sb_cfg=SETTINGS,
    shape=st.lists(st.integers(0, 9), min_size=2, max_size=5),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.int64]),
    training=st.booleans())
def test_the_layer_takes_it_or_says_why_not(channels, sb_cfg, shape, dtype,
                                            training):
    layer = SpatialBias(channels, **sb_cfg).train(training)
    if dtype == torch.float64:
        layer.double()
    x = torch.ones(shape).to(dtype)
    fits = (len(shape) == 4 and shape[1] == channels and all(shape)
            and dtype != torch.int64)
    if fits:
        maps = layer(x)
        assert maps.shape == (shape[0], layer.num_maps, *shape[2:])
        assert maps.dtype == dtype and maps.isfinite().all()
    else:
        with pytest.raises(ValueError, match=r'^SpatialBias: x must (have|be)'):
            layer(x)


KEYS = sorted(SBResNet(18, stem_channels=8, base_channels=4).state_dict())


@fuzz(20)
@given(
    key=st.sampled_from(KEYS),
    damage=st.sampled_from(
        ['missing', 'one more', 'one less', 'another rank', 'renamed',
         'not finite']),
    plain=st.booleans(),
    strict=st.booleans())
def test_a_checkpoint_that_does_not_fit_is_an_error(tmp_path_factory, key,
                                                    damage, plain, strict):
    cls = ResNet if plain else SBResNet
    weights = cls(18, stem_channels=8, base_channels=4).state_dict()
    if key not in weights:
        return
    value = weights.pop(key)
    if damage == 'renamed':
        weights[f'{key}_'] = value
    elif damage == 'another rank':
        weights[key] = value[None]
    elif damage == 'not finite':
        # loaded as it is, as by a plain network; refused by the converter
        weights[key] = torch.full_like(value.float(), float('inf'))
        with pytest.raises(ValueError, match=re.escape(key)):
            checked_weights(weights, 'a.pth')
    elif damage != 'missing':
        if not value.dim():
            return
        step = 1 if damage == 'one more' else -1
        weights[key] = value.new_zeros(value.size(0) + step, *value.shape[1:])
    net = SBResNet(18, stem_channels=8, base_channels=4)
    path = tmp_path_factory.getbasetemp() / 'damaged.pth'
    torch.save(weights, path)
    # a missing or unknown name is an error only where that is asked for
    fails = damage not in ('missing', 'renamed', 'not finite') or (
        strict and damage != 'not finite')
    if key.endswith('num_batches_tracked') and damage in ('missing', ):
        fails = False  # old checkpoints have none
    try:
        load_checkpoint(net, str(path), strict=strict)
    except (RuntimeError, ValueError) as error:
        assert fails and re.search(re.escape(key), str(error)), error
    else:
        assert not fails
