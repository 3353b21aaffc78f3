"""The convolution that reads the bias maps beside the features."""
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from mmcv.cnn.bricks.conv_ws import ConvAWS2d, ConvWS2d, conv_ws_2d
from torch import nn


class MapsReaderWS2d(ConvWS2d):
    """Weight-standardised convolution that reads bias maps: mean and variance
    are those of the columns that a plain network has."""

    def forward(self, x):
        features, maps = x.tensor_split([-self.num_maps], dim=1)
        weight, columns = self.weight.tensor_split([-self.num_maps], dim=1)
        options = self.stride, self.padding, self.dilation, self.groups
        return conv_ws_2d(features, weight, self.bias, *options,
                          self.eps) + F.conv2d(maps, columns, None, *options)


class MapsReaderAWS2d(ConvAWS2d):
    """The same for adaptive weight standardisation."""

    def _get_weight(self, weight):
        weight, columns = weight.tensor_split([-self.num_maps], dim=1)
        return torch.cat([super()._get_weight(weight), columns], dim=1)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        super()._load_from_state_dict(state_dict, prefix, *args)
        if f'{prefix}weight_gamma' not in state_dict:
            # that of mmcv takes both from the columns of the maps too
            weight = self.weight.data[:, :-self.num_maps].flatten(1)
            self.weight_beta.data.copy_(weight.mean(1)[:, None, None, None])
            self.weight_gamma.data.copy_(
                (weight.var(1) + 1e-5).sqrt()[:, None, None, None])


#: The class that reads bias maps, for each class of convolution that can.
READERS = {
    nn.Conv2d: nn.Conv2d,
    Conv2dAdaptivePadding: Conv2dAdaptivePadding,
    ConvWS2d: MapsReaderWS2d,
    ConvAWS2d: MapsReaderAWS2d
}


def read_maps(conv, num_maps):
    """Let a convolution read bias maps after its own input channels, in place.
    Everything else about it stays as the toolbox built it.

    Args:
        conv (nn.Conv2d): Convolution.
        num_maps (int): Number of bias maps.

    Raises:
        ValueError: If it is of a class that is not in :data:`READERS`, or has
            groups: it could not do with the weights of a plain network what
            the plain network does.
    """
    if type(conv) not in READERS or conv.groups != 1:
        names = ', '.join(cls.__name__ for cls in READERS)
        raise ValueError(
            f'conv_cfg: the convolution that reads the bias maps must be one '
            f'of {names} with groups=1, but got {type(conv).__name__} with '
            f'groups={getattr(conv, "groups", None)}')
    conv.__class__ = READERS[type(conv)]
    conv.num_maps = num_maps
    conv.in_channels += num_maps
    out_channels, in_channels, *kernel_size = conv.weight.shape
    conv.weight = nn.Parameter(
        conv.weight.new_empty(out_channels, in_channels + num_maps,
                              *kernel_size))
    conv.reset_parameters()
