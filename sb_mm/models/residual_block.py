"""The residual blocks with SB: where they stack the bias maps.

The classes here are mixins over the blocks of a toolbox. All toolboxes name
the layers of their blocks alike: ``conv1``, ``norm1``, ``conv2``, …
"""
import torch
from mmcv.cnn import build_plugin_layer
from torch import nn
from torch.utils.checkpoint import checkpoint

from .maps_reader import read_maps
from .plain_weights import read_plain_weights
from .spatial_bias import SpatialBias

torch.fx.wrap('dense_gradient')


class ResidualMixin:
    """The way through a residual block, but for its own ``_inner_forward``."""

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

    def _forward_plugins(self, x, position):
        for name in getattr(self, f'after_conv{position}_plugin_names', ()):
            x = getattr(self, name)(x)
        return x


class SBBlockMixin(ResidualMixin):
    """What the two kinds of SB block have in common.

    Args:
        sb_cfg (dict): Settings of :class:`SpatialBias`.
        norm_cfg (dict): Norm of the block, and of the SB branch unless
            ``sb_cfg`` names another; GN has one group there, for so few
            channels. Defaults to ``dict(type='BN')``.
    """

    #: Whether the weights loaded last were those of a plain block.
    extended = False
    #: The convolution whose input the bias maps are computed from.
    source: str
    #: The convolution that reads the features with the maps stacked on them.
    reader: str

    def __init__(self, *args, sb_cfg, norm_cfg=dict(type='BN'), **kwargs):
        super().__init__(*args, norm_cfg=norm_cfg, **kwargs)
        # requires_grad=False in a config means weights of the checkpoint; the
        # backbone decides for the SB branch
        sb_norm_cfg = {**norm_cfg, 'requires_grad': True}
        if sb_norm_cfg['type'] in ('GN', nn.GroupNorm):
            sb_norm_cfg['num_groups'] = 1
        self.sb_cfg = {
            'in_channels': getattr(self, self.source).in_channels,
            'norm_cfg': sb_norm_cfg,
            **sb_cfg
        }
        self.spatial_bias = SpatialBias(**self.sb_cfg)
        read_maps(getattr(self, self.reader), self.spatial_bias.num_maps)

    @property
    def sb_parameters(self):
        """list[nn.Parameter]: What trains where the rest of a stage is frozen:
        the SB branch, and the weight that reads its maps."""
        return [
            *self.spatial_bias.parameters(),
            getattr(self, self.reader).weight
        ]

    def bias_maps(self, x):
        """Compute the bias maps at the resolution that the features have after
        the convolution that follows.

        Args:
            x (Tensor): Input of :attr:`source`, shape (N, in_channels, H, W).

        Returns:
            Tensor: Shape (N, num_maps, H', W'), before the ReLU.
        """
        h, w = getattr(self, self.source).stride
        # not -(-a // b), which ONNX truncates
        maps = self.spatial_bias(
            x, ((x.size(2) - 1) // h + 1, (x.size(3) - 1) // w + 1))
        if self.training:
            maps = dense_gradient(maps)
        # in channels_last: the stack of contiguous maps and features in
        # channels_last would be contiguous
        return maps.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)

    def _stack(self, x, maps):
        if self.training:
            x = dense_gradient(x)
        return torch.cat([x, maps.to(x.dtype)], dim=1)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        self.extended = read_plain_weights(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


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
        out = self.relu(self._stack(out, maps))
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
        # a line each, so that the input of a convolution goes before its norm
        out = self.conv2(out)
        out = self.norm2(out)
        if getattr(self, 'after_conv2_plugin_names', ()):
            out = self._forward_plugins(self.relu(out), 2)
            out = self._stack(out, self.relu(maps))
        else:
            out = self.relu(self._stack(out, maps))
        out = self.conv3(out)
        out = self.norm3(out)
        out = self._forward_plugins(out, 3)
        return self._add_identity(out, x)


def dense_gradient(x):
    """Views that lead back to ``x`` itself, and whose gradient is copied.

    The gradient of a stack comes to its parts as slices, which the backward
    pass of BN on a CPU takes value by value.

    Args:
        x (Tensor): Shape (N, C, H, W).

    Returns:
        Tensor: The same, as a view.
    """
    # by a pair of dimensions that no slice of the channels merges by a view
    if x.stride(1) == 1:  # channels_last
        return x.permute(0, 2, 3, 1).flatten(2).unflatten(
            2, (x.size(3), x.size(1))).permute(0, 3, 1, 2)
    return x.flatten(0, 1).unflatten(0, (x.size(0), x.size(1)))


class PluginBottleneckMixin(ResidualMixin):
    """Bottleneck that takes plugins, where the toolbox's own does not.

    Args:
        plugins (list[dict]): Plugins, each with ``cfg`` and the ``position``
            'after_conv1', 'after_conv2' or 'after_conv3'. Defaults to ().

    Raises:
        ValueError: If the position is another one.
    """

    def __init__(self, *args, plugins=(), **kwargs):
        super().__init__(*args, **kwargs)
        channels = dict(
            after_conv1=self.mid_channels,
            after_conv2=self.mid_channels,
            after_conv3=self.out_channels)
        names = {position: [] for position in channels}
        for plugin in plugins:
            position, cfg = plugin['position'], dict(plugin['cfg'])
            if position not in channels:
                raise ValueError(f'plugins: position must be one of '
                                 f'{", ".join(channels)}, but is {position!r}')
            name, layer = build_plugin_layer(
                cfg,
                postfix=cfg.pop('postfix', ''),
                in_channels=channels[position])
            if hasattr(self, name):
                raise ValueError(f'plugins: there are two {name} in a block; '
                                 'give each a postfix')
            self.add_module(name, layer)
            names[position].append(name)
        for position in channels:
            setattr(self, f'{position}_plugin_names', names[position])

    def _inner_forward(self, x):
        out = self.relu(self.norm1(self.conv1(x)))
        out = self._forward_plugins(out, 1)
        out = self.relu(self.norm2(self.conv2(out)))
        out = self._forward_plugins(out, 2)
        out = self.norm3(self.conv3(out))
        out = self._forward_plugins(out, 3)
        return self._add_identity(out, x)
