"""Reading the weights of a plain network, and of another toolbox's."""
from itertools import chain

import torch

from .spatial_bias import SpatialBias


def read_plain_weights(block, state_dict, prefix):
    """Complete the weights of a plain block, in place.

    The columns of the reader that belong to the maps become zero, so that the
    block computes what the plain one did; the SB branch keeps its own values.

    Args:
        block (SBBlockMixin): Block that the weights are for.
        state_dict (dict): Weights about to be loaded.
        prefix (str): Prefix of the names of the block.

    Returns:
        bool: Whether these were the weights of a plain block.
    """
    key = f'{prefix}{block.reader}.weight'
    weight = state_dict.get(key)
    num_maps = block.spatial_bias.num_maps
    if weight is None or tuple(weight.shape) != plain_shape(block):
        return False
    columns = weight.new_zeros(weight.size(0), num_maps, *weight.shape[2:])
    state_dict[key] = torch.cat([weight, columns], dim=1)
    branch = block.spatial_bias
    if branch.mix.weight.is_meta:  # has no values of its own
        with torch.device(weight.device):
            branch = SpatialBias(**block.sb_cfg)
    for name, value in branch.state_dict().items():
        state_dict.setdefault(f'{prefix}spatial_bias.{name}', value)
    return True


def plain_shape(block):
    """tuple[int]: Shape that the reader's weight has in a plain block."""
    shape = list(getattr(block, block.reader).weight.shape)
    shape[1] -= block.spatial_bias.num_maps
    return tuple(shape)


def check_shapes(net, blocks, state_dict, prefix):
    """Refuse a tensor that fits neither the network nor its plain twin:
    mmengine's loading skips it with a line of the log.

    Args:
        net (nn.Module): Network that the weights are for.
        blocks (Iterable[SBBlockMixin]): Its blocks with SB.
        state_dict (dict): Weights about to be loaded.
        prefix (str): Prefix of the names of the network.

    Raises:
        ValueError: If there is one.
    """
    plain = {
        id(getattr(block, block.reader).weight): plain_shape(block)
        for block in blocks
    }
    for name, own in chain(net.named_parameters(), net.named_buffers()):
        given = state_dict.get(prefix + name)
        if given is not None and given.shape not in (own.shape,
                                                     plain.get(id(own))):
            raise ValueError(
                f'{prefix}{name} of the checkpoint has the shape '
                f'{tuple(given.shape)}, which fits neither this network '
                f'({tuple(own.shape)}) nor its plain twin')


def rename_to_this_toolbox(net, state_dict, prefix):
    """Rename what the toolboxes name differently, in place.

    A deep stem is three ``ConvModule`` in MMPreTrain, nine layers in the
    others, and seven layers and ``bn1`` in timm. Before the convolution of a
    shortcut with stride 1 the ResNetV1d of MMDetection and MMSegmentation has a
    pooling of one position, which changes nothing, and that of MMPreTrain has
    none.

    Args:
        net (SBResNetMixin): Network that the weights are for.
        state_dict (dict): Weights about to be loaded.
        prefix (str): Prefix of the names of the network.

    Raises:
        ValueError: If a shortcut pools and the network's does not, or the
            other way round.
    """
    names = {}
    if net.deep_stem:
        flat = [f'stem.{i}' for i in (0, 1, 3, 4, 6, 7)]
        packed = [
            f'stem.{i}.{part}' for i in range(3) for part in ('conv', 'bn')
        ]
        if hasattr(net.stem[0], 'conv'):
            flat, packed = packed, flat
        timm = [*(f'conv1.{i}' for i in (0, 1, 3, 4, 6)), 'bn1']
        names.update(zip(packed + timm, flat * 2))
    for layer in net.res_layers:
        block, shortcut = getattr(net, layer)[0], f'{layer}.0.downsample'
        if block.downsample is None:
            continue
        own = _position_of_conv(block.downsample.state_dict(), '')
        given = _position_of_conv(state_dict, f'{prefix}{shortcut}.')
        if given in (own, None):
            continue
        if block.stride != 1:
            have = ['no pooling', 'average pooling']
            raise ValueError(
                f'{prefix}{shortcut} of the checkpoint has {have[given]} '
                f'(avg_down={bool(given)}), but that of this network has '
                f'{have[own]} (avg_down={bool(own)})')
        names.update({
            f'{shortcut}.{given + i}': f'{shortcut}.{own + i}'
            for i in range(2)
        })
    renamed = {}
    for key in list(state_dict):
        module, _, tensor = key.removeprefix(prefix).rpartition('.')
        if key.startswith(prefix) and module in names:
            renamed[f'{prefix}{names[module]}.{tensor}'] = state_dict.pop(key)
    state_dict.update(renamed)


def _position_of_conv(weights, prefix):
    """Where the convolution of a shortcut is: 0, 1 after a pooling, or None if
    there is none."""
    for i in range(2):
        weight = weights.get(f'{prefix}{i}.weight')
        if weight is not None and weight.dim() == 4:
            return i
