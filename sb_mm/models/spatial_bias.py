from copy import deepcopy
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from .pooling import adaptive_avg_pool

torch.fx.wrap('adaptive_avg_pool')


class SpatialBias(BaseModule):
    """Bias maps that carry global context into a convolutional block.

    The feature map is reduced to a few channels and pooled to a small grid; a
    1D convolution that slides along the channels, with the positions as its
    own channels, mixes all positions with each other; the result is resized to
    the resolution of the block. Nothing grows with the square of the
    resolution. See Sec. 3 of `Spatial Bias for Attention-free Non-local Neural
    Networks <https://arxiv.org/abs/2302.12505>`_.

    The paper normalises the maps together with the feature map that they are
    stacked on, in one BN over both. BN works on each channel by itself, so the
    norm of the maps lives here and the block keeps the norm of a plain block.

    Args:
        in_channels (int): Channels of the input.
        num_maps (int): Number of bias maps, m in the paper. Defaults to 3.
        kernel_size (int): Taps of the 1D convolution, t in the paper.
            Defaults to 3.
        pool_size (int): Side in positions of the grid that the input is pooled
            to, k in the paper; 6 for CIFAR images. Defaults to 10.
        norm_cfg (dict): Config of the two norms, over
            ``num_maps + kernel_size - 1`` and over ``num_maps`` channels.
            Defaults to ``dict(type='BN')``.
        init_cfg (dict or list[dict], optional): Initialization config.
            Defaults to None: Kaiming normal for the reduction, PyTorch's own
            for the 1D convolution.

    Raises:
        ValueError: If a size is not a positive integer, or if ``norm_cfg``
            does not fit the numbers of channels.
    """

    def __init__(self,
                 in_channels: int,
                 num_maps: int = 3,
                 kernel_size: int = 3,
                 pool_size: int = 10,
                 norm_cfg: dict = dict(type='BN'),
                 init_cfg=None) -> None:
        super().__init__(init_cfg)
        for name, value in dict(
                in_channels=in_channels,
                num_maps=num_maps,
                kernel_size=kernel_size,
                pool_size=pool_size).items():
            if type(value) is not int or value < 1:
                raise ValueError(f'SpatialBias: {name} must be a positive '
                                 f'integer, but got {value!r}')
        self.in_channels = in_channels
        self.num_maps = num_maps
        self.kernel_size = kernel_size
        self.pool_size = pool_size
        channels = num_maps + kernel_size - 1
        try:
            self.reduction = ConvModule(
                in_channels, channels, 1, norm_cfg=norm_cfg)
            self.mix = nn.Conv1d(pool_size**2, pool_size**2, kernel_size)
            self.norm = build_norm_layer(norm_cfg, num_maps)[1]
        except ValueError as error:  # GN that does not divide the channels
            raise ValueError(
                f'SpatialBias: norm_cfg={norm_cfg} does not fit {channels} '
                f'and {num_maps} channels ({error}); give the layer a '
                "norm_cfg of its own, for example dict(type='GN', "
                'num_groups=1)') from error
        # mmengine's efficient_conv_bn_eval looks up a module before each norm
        self.before_norm = nn.Identity()

    def forward(self,
                x: Tensor,
                size: Optional[Tuple[int, int]] = None) -> Tensor:
        """Compute the bias maps.

        Args:
            x (Tensor): Features of shape (N, in_channels, H, W).
            size (tuple[int, int], optional): Height and width of the maps.
                Defaults to None, those of ``x``.

        Returns:
            Tensor: Maps of shape (N, num_maps, *size), normalised. The ReLU of
            the block follows after stacking.

        Raises:
            ValueError: If ``x`` has another shape, or is not floating point.
        """
        size = x.shape[-2:] if size is None else size
        k = self.pool_size
        try:
            out = self.reduction.conv(x)  # N, m+t-1, H, W
            # norms of a few channels are slow in channels_last
            out = self.before_norm(out.contiguous())
            out = self.reduction.activate(self.reduction.norm(out))
            out = adaptive_avg_pool(out, k)  # N, m+t-1, k, k
            out = out.flatten(2).transpose(1, 2)  # N, k², m+t-1
            out = self.mix(out)  # N, k², m
            out = out.transpose(1, 2).contiguous()  # for the second norm too
            out = out.unflatten(2, (k, k))  # N, m, k, k
            out = F.interpolate(
                out, size, mode='bilinear', align_corners=False)
            return self.norm(self.before_norm(out))  # N, m, *size
        except (RuntimeError, ValueError):
            return self._other_input(x, size)

    def _other_input(self, x, size):
        """What PyTorch refuses: one value, which has no batch statistics, gets
        the running ones; for anything else the error is made clear."""
        if x.dim() != 4 or x.size(1) != self.in_channels or not x.numel():
            raise ValueError(
                f'{type(self).__name__}: x must have the shape (N, '
                f'{self.in_channels}, H, W) and not be empty, but got '
                f'{tuple(x.shape)}')
        if not x.is_floating_point():
            raise ValueError(f'{type(self).__name__}: x must be floating '
                             f'point, but got {x.dtype}')
        positions = min(x.size(2) * x.size(3), size[0] * size[1])
        if not self.training or x.size(0) * positions != 1:
            raise
        tensors = (*self.parameters(), *self.buffers())
        twin = deepcopy(self, {id(tensor): tensor for tensor in tensors})
        return SpatialBias.forward(twin.eval(), x, size)
