"""The residual blocks with SB: how they stack the maps and read plain weights.

The classes here are mixins over the blocks of a toolbox. All toolboxes name
the layers of their blocks alike: ``conv1``, ``norm1``, ``conv2``, …
"""
from torch import cat, channels_last
from torch.nn import Conv2d
from torch.utils.checkpoint import checkpoint

from .spatial_bias import PointwiseConv2d, SpatialBias


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
        if conv is Conv2d and reader.kernel_size == (1, 1):
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

    def stack_maps(self, features, source):
        """Stack the bias maps on features.

        Args:
            features (Tensor): Shape (N, C, H', W').
            source (Tensor): What the maps are computed from, of shape
                (N, in_channels, H, W).

        Returns:
            Tensor: Shape (N, C + num_maps, H', W').
        """
        maps = self.spatial_bias(source, features.shape[-2:])
        maps = maps.to(features.dtype)
        if not features.is_contiguous() and features.is_contiguous(
                memory_format=channels_last):
            # or else the stack would lose the format
            maps = maps.contiguous(memory_format=channels_last)
        return cat([features, maps], dim=1)

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
        state_dict[key] = cat([weight, columns], dim=1)
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
        out = self.relu(self.norm1(self.conv1(x)))
        out = self.stack_maps(out, x)
        out = self.norm2(self.conv2(out))
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
        out = source = self._forward_plugins(out, 1)
        out = self.relu(self.norm2(self.conv2(out)))
        out = self._forward_plugins(out, 2)
        out = self.stack_maps(out, source)
        del source  # conv3 and the addition are where memory peaks
        out = self.norm3(self.conv3(out))
        out = self._forward_plugins(out, 3)
        return self._add_identity(out, x)

    def _forward_plugins(self, x, position):
        for name in getattr(self, f'after_conv{position}_plugin_names', ()):
            x = getattr(self, name)(x)
        return x
