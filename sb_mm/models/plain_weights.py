"""Reading the weights of a plain network."""
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
