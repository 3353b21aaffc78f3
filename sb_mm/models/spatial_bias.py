from functools import lru_cache
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

# new in PyTorch 2.3
_is_compiling = getattr(torch.compiler, 'is_compiling', lambda: False)


def is_traced():
    """bool: Whether ``torch.compile`` or ``torch.jit.trace`` is looking."""
    return _is_compiling() or torch.jit.is_tracing()


def is_channels_last(x):
    """bool: Whether a tensor is in channels_last and not contiguous too."""
    return not x.is_contiguous() and x.is_contiguous(
        memory_format=torch.channels_last)


@MODELS.register_module()
class PointwiseConv2d(nn.Conv2d):
    """1x1 convolution that is a plain matrix product on the CPU.

    The convolutions of the CPU bring features into blocks of 16 channels and
    back, which does not pay for the few or odd channels of an SB block: the
    product takes 30 to 60 % less time, and gives the same result.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        kernel_size (int): 1.
        **kwargs: Arguments of :class:`torch.nn.Conv2d`; only ``bias`` makes
            sense.
    """

    @property
    def fill(self):
        """int: Channels that fill the input up to a multiple of 8, which
        matrix units want in half precision."""
        return -self.in_channels % 8

    def forward(self, x: Tensor) -> Tensor:
        """Compute the convolution.

        Args:
            x (Tensor): Shape (N, in_channels, H, W), or (N, in_channels +
                fill, H, W), whose last channels count for nothing.

        Returns:
            Tensor: Shape (N, out_channels, H, W). On the CPU it is contiguous
            whatever the memory format of ``x`` if there are but a few output
            channels: norms and products of those are slow in channels_last.
        """
        if self.fill and x.size(1) == self.in_channels + self.fill:
            weight = F.pad(self.weight, (0, 0, 0, 0, 0, self.fill))
            return self._conv_forward(x, weight, self.bias)
        few = self.out_channels < 16
        # the convolution is as fast in channels_last, and adds the bias for free
        if (x.device.type != 'cpu' or x.size(1) != self.in_channels
                or not (x.is_contiguous() or few and is_channels_last(x))
                or is_traced()):
            return super().forward(x)
        # matmul would copy the features in training, to have one product
        weight = self.weight.flatten(1).expand(x.size(0), -1, -1)
        out = torch.bmm(weight, x.flatten(2)).unflatten(2, x.shape[2:])
        return out if self.bias is None else out.add_(self.bias[:, None, None])


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

        try:
            self.reduction = ConvModule(
                in_channels,
                num_maps + kernel_size - 1,
                1,
                conv_cfg=dict(type='PointwiseConv2d'),
                norm_cfg=norm_cfg)
            self.mix = nn.Conv1d(pool_size**2, pool_size**2, kernel_size)
            self.norm = build_norm_layer(norm_cfg, num_maps)[1]
        except ValueError as error:  # GN that does not divide the channels
            raise ValueError(
                f'SpatialBias: norm_cfg={norm_cfg} does not fit '
                f'{num_maps + kernel_size - 1} and {num_maps} channels '
                f'({error}); give the layer a norm_cfg of its own, for '
                "example dict(type='GN', num_groups=1)") from error
        self.relu = nn.ReLU(inplace=True)

    def forward(self,
                x: Tensor,
                size: Optional[Tuple[int, int]] = None) -> Tensor:
        """Compute the bias maps.

        Args:
            x (Tensor): Features of shape (N, in_channels, H, W).
            size (tuple[int, int], optional): Height and width of the maps.
                Defaults to None, those of ``x``.

        Returns:
            Tensor: Maps of shape (N, num_maps, *size), normalised and
            rectified, ready to be stacked on features.
        """
        size = x.shape[-2:] if size is None else size
        if self.training and x.size(0) * min(
                x.size(2) * x.size(3), size[0] * size[1]) == 1:
            # one value has no batch statistics: use the running ones
            self.eval()
            try:
                return SpatialBias.forward(self, x, size)
            finally:
                self.train()

        k, t = self.pool_size, self.kernel_size
        x = self.reduction(x)  # N, m+t-1, H, W
        x = _resample(x, (k, k), _pooling_matrix)  # N, m+t-1, k, k
        # the 1D convolution as the one product that it is
        x = x.flatten(2).unfold(1, t, 1)  # N, m, k², t
        x = F.linear(x.flatten(2), self.mix.weight.flatten(1), self.mix.bias)
        x = x.unflatten(2, (k, k))  # N, m, k, k
        x = _resample(x, size, _resizing_matrix)  # N, m, H', W'
        return self.relu(self.norm(x))


@MODELS.register_module()
class SpatialBiasPlugin(SpatialBias):
    """Spatial Bias as a plugin layer: features in, features of the same shape
    out.

    The bias maps are computed from the features and added to them by a 1x1
    convolution, ``out = x + V maps``: a convolution over features and maps
    whose part over the features is the identity. ``V`` starts at zero, so that
    a trained network computes what it did before. It moves in the first
    training step, and the branch from the second on.

    In training its norms use the statistics of the batch even where
    ``norm_eval`` fixes those of the backbone, which came with a checkpoint.

    Any backbone that takes plugins takes it, at any position::

        plugins=[dict(cfg=dict(type='SpatialBiasPlugin'),
                      stages=(False, True, True, False),
                      position='after_conv2')]

    Args:
        in_channels (int): Channels of the features.
        **kwargs: Settings of :class:`SpatialBias`.
    """

    def __init__(self, in_channels: int, **kwargs) -> None:
        super().__init__(in_channels, **kwargs)
        self.expansion = nn.Conv2d(self.num_maps, in_channels, 1, bias=False)
        nn.init.zeros_(self.expansion.weight)

    def init_weights(self) -> None:
        """Initialize the weights; the expansion starts at zero."""
        super().init_weights()
        nn.init.zeros_(self.expansion.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add the bias maps to features.

        Args:
            x (Tensor): Features of shape (N, in_channels, H, W).

        Returns:
            Tensor: Features of the same shape.
        """
        if self.training and not self.norm.training:  # norm_eval
            self.train()
        return x + self.expansion(super().forward(x))


def _resample(x: Tensor, size: Tuple[int, int], matrix) -> Tensor:
    """Pool or resize as two small matrix products, one for each axis.

    Unlike ``adaptive_avg_pool2d`` and ``interpolate`` these have a
    deterministic backward on CUDA.
    """
    rows = matrix(x.size(2), size[0], x.device, x.dtype)
    columns = matrix(x.size(3), size[1], x.device, x.dtype)
    return rows @ (x @ columns.t())


def _cached(build):
    """Keep the constants of the sizes in use, unless they are being traced."""

    @lru_cache(maxsize=1024)
    # a tensor made in inference mode could not be used in training
    @torch.inference_mode(False)
    @torch.no_grad()
    def cached(*args):
        return build(*args)

    def matrix(*args):
        return build(*args) if is_traced() else cached(*args)

    return matrix


@_cached
def _pooling_matrix(in_size, out_size, device, dtype):
    """``adaptive_avg_pool1d`` as a matrix of shape (out_size, in_size)."""
    out = torch.arange(out_size, device=device)[:, None]
    position = torch.arange(in_size, device=device)
    start = out * in_size // out_size
    end = ((out + 1) * in_size + out_size - 1) // out_size
    inside = (position >= start) & (position < end)
    return (inside / (end - start)).to(dtype)


@_cached
def _resizing_matrix(in_size, out_size, device, dtype):
    """Linear ``interpolate`` with ``align_corners=False`` as a matrix of shape
    (out_size, in_size)."""
    out = torch.arange(out_size, device=device)
    source = (out + 0.5) * (in_size / out_size) - 0.5
    source = source.clamp(0, in_size - 1)[:, None]
    position = torch.arange(in_size, device=device)
    return (1 - (source - position).abs()).clamp(min=0).to(dtype)
