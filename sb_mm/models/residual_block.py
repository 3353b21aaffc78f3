"""The residual blocks with SB: how they stack the maps and read plain weights.

The classes here are mixins over the blocks of a toolbox. All toolboxes name
the layers of their blocks alike: ``conv1``, ``norm1``, ``conv2``, …
"""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from .spatial_bias import (PointwiseConv2d, SpatialBias, is_channels_last,
                           is_traced)


def _stack(features, maps, rectify, fill):
    """Stack maps on features, rectified on the way: one pass over the features
    and one copy of them, where ReLU and concatenation need two. ``fill``
    channels of zeros follow."""
    n, c, h, w = features.shape
    used = c + maps.size(1)
    memory_format = (
        torch.channels_last
        if is_channels_last(features) else torch.contiguous_format)
    out = torch.empty((n, used + fill, h, w),
                      dtype=features.dtype,
                      device=features.device,
                      memory_format=memory_format)
    if rectify:
        torch.clamp_min(features, 0, out=out[:, :c])
    else:
        out[:, :c] = features
    out[:, c:used] = maps
    out[:, used:] = 0
    return out


class _Stack(torch.autograd.Function):
    """:func:`_stack`, with its gradient."""

    @staticmethod
    def forward(ctx, features, maps, rectify, fill):
        out = _stack(features, maps, rectify, fill)
        ctx.channels, ctx.rectify = features.size(1), rectify
        ctx.used = ctx.channels + maps.size(1)
        ctx.save_for_backward(*([out] if rectify else []))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        c = ctx.channels
        features, maps = grad[:, :c], grad[:, c:ctx.used]
        if ctx.rectify:
            out, = ctx.saved_tensors
            features = torch.ops.aten.threshold_backward(
                features, out[:, :c], 0)
        return features, maps, None, None


class SBBlockMixin:
    """What the two kinds of SB block have in common.

    Args:
        sb_cfg (dict): Settings of :class:`SpatialBias`.
        norm_cfg (dict): Norm of the block, and of the SB branch unless
            ``sb_cfg`` names another. Defaults to ``dict(type='BN')``.
    """

    #: The convolution whose input the bias maps are computed from.
    source: str
    #: The convolution that reads the features with the maps stacked on them.
    reader: str

    def __init__(self, *args, sb_cfg, norm_cfg=dict(type='BN'), **kwargs):
        super().__init__(*args, norm_cfg=norm_cfg, **kwargs)
        # requires_grad=False in a config means weights of the checkpoint; the
        # backbone decides for the SB branch
        sb_norm_cfg = {**norm_cfg, 'requires_grad': True}
        self.spatial_bias = SpatialBias(**{
            'in_channels': getattr(self, self.source).in_channels,
            'norm_cfg': sb_norm_cfg,
            **sb_cfg
        })
        reader = getattr(self, self.reader)
        conv = type(reader)
        if conv is nn.Conv2d and reader.kernel_size == (1, 1):
            conv = PointwiseConv2d
        widened = conv(
            reader.in_channels + self.spatial_bias.num_maps,
            reader.out_channels,
            reader.kernel_size,
            stride=reader.stride,
            padding=reader.padding,
            dilation=reader.dilation,
            bias=reader.bias is not None)
        setattr(self, self.reader, widened)

    @property
    def sb_parameters(self):
        """list[nn.Parameter]: What trains where the rest of a stage is frozen:
        the SB branch, and the weight that reads its maps."""
        return [
            *self.spatial_bias.parameters(),
            getattr(self, self.reader).weight
        ]

    def bias_maps(self, source):
        """Compute the bias maps at the resolution that the convolution after
        the source has.

        Args:
            source (Tensor): Shape (N, in_channels, H, W).

        Returns:
            Tensor: Shape (N, num_maps, H', W').
        """
        h, w = getattr(self, self.source).stride
        size = -(-source.size(2) // h), -(-source.size(3) // w)
        return self.spatial_bias(source, size)

    def stack_maps(self, features, maps, rectify):
        """Stack the bias maps on features.

        Args:
            features (Tensor): Shape (N, C, H', W').
            maps (Tensor): Shape (N, num_maps, H', W').
            rectify (bool): Whether the features still have to go through the
                activation of the block.

        Returns:
            Tensor: Shape (N, C + num_maps, H', W'), with a few zeros more in
            half precision.
        """
        maps = maps.to(features.dtype)
        if rectify and (is_traced() or not isinstance(self.relu, nn.ReLU)):
            features, rectify = self.relu(features), False
        if is_traced():  # compilers fuse this by themselves
            return torch.cat([features, maps], dim=1)
        stack = _Stack.apply if torch.is_grad_enabled() else _stack
        reader = getattr(self, self.reader)
        half = features.dtype in (torch.bfloat16, torch.float16)
        fill = (
            reader.fill if half and isinstance(reader, PointwiseConv2d) else 0)
        return stack(features, maps, rectify, fill)

    def read_plain_weights(self, state_dict, prefix):
        """Complete the weights of a plain block, in place.

        The columns of the reader that belong to the maps become zero, so that
        the block computes what the plain one did; the SB branch keeps its own
        values.

        Args:
            state_dict (dict): Weights about to be loaded.
            prefix (str): Prefix of the names of this block.

        Returns:
            bool: Whether these were the weights of a plain block.
        """
        key = f'{prefix}{self.reader}.weight'
        weight = state_dict.get(key)
        num_maps = self.spatial_bias.num_maps
        plain_shape = list(getattr(self, self.reader).weight.shape)
        plain_shape[1] -= num_maps
        if weight is None or list(weight.shape) != plain_shape:
            return False
        columns = weight.new_zeros(
            weight.size(0), num_maps, *weight.shape[2:])
        state_dict[key] = torch.cat([weight, columns], dim=1)
        for name, value in self.spatial_bias.state_dict().items():
            state_dict.setdefault(f'{prefix}spatial_bias.{name}', value)
        return True

    def forward(self, x):
        """Compute the block.

        Args:
            x (Tensor): Shape (N, inplanes, H, W).

        Returns:
            Tensor: Shape (N, planes * expansion, H', W').
        """
        if self.with_cp and x.requires_grad:
            out = checkpoint(self._inner_forward, x, use_reentrant=False)
        else:
            out = self._inner_forward(x)
        return self.relu(out)

    def _add_identity(self, out, x):
        identity = x if self.downsample is None else self.downsample(x)
        if hasattr(self, 'drop_path'):  # MMPreTrain's blocks
            out = self.drop_path(out)
        out += identity
        return out


class SBBasicBlockMixin(SBBlockMixin):
    """Basic block with SB.

    The paper has bottlenecks alone. Here the maps are computed from the input
    of the block and stacked on the output of the first convolution.
    """
    source = 'conv1'
    reader = 'conv2'

    def _inner_forward(self, x):
        maps = self.bias_maps(x)
        out = self.norm1(self.conv1(x))
        out = self.stack_maps(out, maps, rectify=True)
        out = self.conv2(out)
        out = self.norm2(out)
        return self._add_identity(out, x)


class SBBottleneckMixin(SBBlockMixin):
    """Bottleneck with SB, see Fig. 2 of the paper.

    The maps are computed from the input of the 3x3 convolution and stacked on
    its output.
    """
    source = 'conv2'
    reader = 'conv3'

    def _inner_forward(self, x):
        out = self.relu(self.norm1(self.conv1(x)))
        out = self._forward_plugins(out, 1)
        maps = self.bias_maps(out)  # now, while the features are in the cache
        out = self.norm2(self.conv2(out))
        plugins = getattr(self, 'after_conv2_plugin_names', ())
        if plugins:
            out = self._forward_plugins(self.relu(out), 2)
        out = self.stack_maps(out, maps, rectify=not plugins)
        out = self.conv3(out)
        out = self.norm3(out)
        out = self._forward_plugins(out, 3)
        return self._add_identity(out, x)

    def _forward_plugins(self, x, position):
        for name in getattr(self, f'after_conv{position}_plugin_names', ()):
            x = getattr(self, name)(x)
        return x
