"""Checkpoints between the plain layout, that of SB and that of the authors.

The network itself reads plain checkpoints, see :class:`SBResNetMixin`; what is
here writes files that need no such reading.
"""
import re
from pathlib import Path
from typing import Collection, List, Optional, Tuple, Union

import torch

from .models.bias_effects import backbone_of
from .models.sb_resnet import SBResNetMixin
from .utils.checkpoint_file import checked_weights, read_checkpoint
from .utils.onnx_resnet import read_onnx_resnet
from .utils.scratch_file import scratch_file
from .version import __version__


def convert_checkpoint(src: Union[str, Path],
                       dst: Union[str, Path],
                       to: str,
                       layout: str = 'toolbox',
                       config: Optional[str] = None,
                       new_heads: bool = False,
                       force: bool = False,
                       trust: bool = False) -> List[str]:
    """Convert a checkpoint file.

    The new file has the weights and ``meta`` (classes, palette, config) of the
    old one; the state of the optimizer and of the log is left out. It appears
    under its name when it is complete.

    Args:
        src (str or Path): Checkpoint to read: of a whole model, of a
            classifier, or of a backbone alone; or an ONNX file of a ResNet.
        dst (str or Path): File to write.
        to (str): 'sb' or 'plain'.
        layout (str): 'toolbox', 'authors' for the layout of the authors'
            published code, or 'onnx', see :func:`read_onnx_resnet`. Defaults
            to 'toolbox'.
        config (str, optional): Config of the SB model, needed for 'sb'.
        new_heads (bool): Whether to leave out the layers that tell the
            classes apart where the config has others. Defaults to False.
        force (bool): Whether to overwrite ``dst``. Defaults to False.
        trust (bool): Whether to read a file that has more than weights in it,
            although that can run code. Defaults to False.

    Returns:
        list[str]: What was done, a line each.

    Raises:
        ValueError: If the file cannot be read, does not fit the config, has
            values that are not finite, or cannot become plain.
        OSError: If ``src`` does not exist, or ``dst`` does.
    """
    src, dst = Path(src), Path(dst)
    if not src.is_file():
        raise FileNotFoundError(f'the checkpoint {src} does not exist')
    if dst.exists() and not force:
        raise FileExistsError(f'{dst} exists; --force overwrites it')
    if to == 'sb' and config is None:
        raise ValueError('--to sb needs --config, the config of the SB model')
    if to == 'plain' and new_heads:
        raise ValueError('--new-heads goes with --to sb')
    if to == 'plain' and layout == 'authors':
        raise ValueError('--from authors goes with --to sb')
    if to == 'sb' and layout == 'onnx':
        raise ValueError('--from onnx goes with --to plain; an SB network '
                         'takes the plain weights as they are')
    settings = {}
    if layout == 'onnx':
        checkpoint, settings = read_onnx_resnet(src)
    else:
        checkpoint = read_checkpoint(src, trust)
    weights = checkpoint.get('state_dict', checkpoint)
    weights = checked_weights(weights, src)
    meta = dict(checkpoint.get('meta') or {}, sb_mm_version=__version__)

    new = []
    if settings:
        report = 'a backbone with ' + ', '.join(
            f'{key}={value!r}' for key, value in settings.items())
    elif to == 'plain':
        weights, blocks = to_plain(weights)
        report = f'SB taken out of {blocks} blocks'
    elif layout == 'authors':
        weights, blocks = to_sb(from_authors(weights), str(config))
        report = f"SB of {blocks} blocks renamed from the authors' layout"
    elif any('.spatial_bias.' in key for key in weights):
        raise ValueError(f'{src} has SB already')
    else:
        if new_heads:
            weights, new = without_heads(weights, _build(config))
            for key in ('dataset_meta', 'CLASSES', 'PALETTE', 'cfg'):
                meta.pop(key, None)  # of the old classes
        weights, blocks = to_sb(
            weights, str(config), {name for name, *_ in new})
        report = (f'{blocks} blocks extended by SB; their bias maps count for '
                  'nothing yet')
    dropped = sorted(
        set(checkpoint) - {'state_dict', 'meta'}
        if 'state_dict' in checkpoint else ())

    with scratch_file(dst) as scratch:
        torch.save(dict(meta=meta, state_dict=weights), scratch)
        scratch.replace(dst)
    lines = [f'{dst}: {report}']
    if dropped:
        lines.append(f'left out: {", ".join(dropped)}')
    if new_heads and not new:
        lines.append('no layer is new: the classes are as many')
    return lines + new_lines(new)


def without_heads(weights, model):
    """Take out the layers that tell the classes apart, where the model has
    another number of them.

    Such a layer differs in its output channels alone and is in no backbone
    and no neck.

    Args:
        weights (dict): Weights of a whole model.
        model (nn.Module): The model that they are for.

    Returns:
        tuple[dict, list[tuple]]: The other weights; name, shape that was given
        and shape of the model for each that is new.

    Raises:
        ValueError: If something else has another shape.
    """
    own = model.state_dict()
    backbones = tuple(f'{name}.' for name, module in model.named_modules()
                      if isinstance(module, SBResNetMixin))
    new = []
    for name, value in weights.items():
        key = name.removeprefix('module.')
        shape = getattr(own.get(key), 'shape', value.shape)
        if (value.shape == shape or key.startswith(backbones)
                or _is_in('backbone', key)):
            continue  # the backbone itself says what does not fit
        if (_is_in('neck', key) or len(value.shape) != len(shape)
                or value.shape[1:] != shape[1:]):
            raise ValueError(
                f'{name} has the shape {tuple(value.shape)} in the checkpoint '
                f'and {tuple(shape)} in the model, which is more than another '
                'number of classes')
        new.append((name, tuple(value.shape), tuple(shape)))
    names = {name for name, *_ in new}
    return {k: v for k, v in weights.items() if k not in names}, new


def _is_in(part, key):
    return part in key.split('.')  # of the model or of one inside of it


def new_lines(new):
    """list[str]: A line for each layer that :func:`without_heads` took out."""
    return [f'new: {name}, {own}; the checkpoint has {given}'
            for name, given, own in new]


def _build(config):
    from .apis.model import build_model  # which imports this module
    return build_model(config)[1]


def to_sb(weights: dict,
          config: str,
          new: Collection[str] = ()) -> Tuple[dict, int]:
    """Weights of the SB model of a config, out of plain or SB weights.

    Args:
        weights (dict): Weights of the whole model, of its backbone alone, or
            of a classifier with the names of torchvision or transformers.
        config (str): Config file of the SB model.
        new (Collection[str]): Names that are not to be there. Defaults to ().

    Returns:
        tuple[dict, int]: The weights of the model or the backbone, and how
        many blocks have SB. An ``fc`` that the model has no place for stays
        as it is.

    Raises:
        ValueError: If a weight is missing, left over, or of a wrong shape.
    """
    model = _build(config)
    head = {}
    if model.state_dict().keys().isdisjoint(weights):
        weights = {  # the head of transformers in the name of torchvision
            re.sub(r'^classifier\.1\.', 'fc.', k): v
            for k, v in weights.items()
        }
        head = {k: v for k, v in weights.items() if k.startswith('fc.')}
        weights = {k: v for k, v in weights.items() if k not in head}
        if head and hasattr(getattr(model, 'head', None), 'fc'):
            weights = {
                **{f'backbone.{k}': v for k, v in weights.items()},
                **{f'head.{k}': v for k, v in head.items()}
            }
            head = {}
        else:
            model = backbone_of(model)
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # another shape in a head
        raise ValueError(
            f'the checkpoint does not fit {config}: '
            f'{str(error).splitlines()[1].strip()} (--new-heads leaves out '
            'the layers of other classes)') from error
    # old checkpoints lack the counters of BN
    missing = [
        k for k in missing
        if not k.endswith('num_batches_tracked') and k not in new
    ]
    if missing or unexpected:
        raise ValueError(
            f'the checkpoint does not fit {config}: ' + '; '.join(
                f'{len(keys)} weights {what}, such as {", ".join(keys[:3])}'
                for what, keys in (('missing', missing), ('left over',
                                                          unexpected))
                if keys))
    result = {k: v for k, v in model.state_dict().items() if k not in new}
    blocks = sum(key.endswith('spatial_bias.mix.weight') for key in result)
    if not blocks:
        raise ValueError(f'the model of {config} has no SB')
    return {**result, **head}, blocks


def to_plain(weights: dict) -> Tuple[dict, int]:
    """Weights of the plain model, where SB adds nothing yet.

    Args:
        weights (dict): Weights with SB.

    Returns:
        tuple[dict, int]: The plain weights, and from how many blocks SB was
        taken.

    Raises:
        ValueError: If there is no SB, or a weight that reads the bias maps is
            not zero.
    """
    result = {k: v for k, v in weights.items() if '.spatial_bias.' not in k}
    blocks = [
        key.removesuffix('.spatial_bias.mix.weight') for key in weights
        if key.endswith('.spatial_bias.mix.weight')
    ]
    if not blocks:
        raise ValueError('the checkpoint has no SB to take out')
    for block in blocks:
        channels = _num_maps(
            weights[f'{block}.spatial_bias.reduction.conv.weight'],
            weights[f'{block}.spatial_bias.mix.weight'])
        # a bottleneck reads the maps in conv3, a basic block in conv2
        reader = f'{block}.conv3.weight'
        if reader not in weights:
            reader = f'{block}.conv2.weight'
        weight, columns = weights[reader].tensor_split([-channels], dim=1)
        if columns.any():
            raise ValueError(
                f'{reader} reads the bias maps (the largest weight is '
                f'{columns.abs().max():.3g}): without SB the outputs would '
                'change')
        result[reader] = weight.clone()
    return result, len(blocks)


def from_authors(weights):
    """Weights in the names of sb_mm, out of those of the authors' code.

    There one ``bn2`` normalises features and maps together; here the norm of
    the maps is that of the SB branch, which gives the same, see
    :class:`SpatialBias`.

    Args:
        weights (dict): Weights of a network or a block in the authors' layout.

    Returns:
        dict: The same weights in the layout of sb_mm.

    Raises:
        ValueError: If there is no block of the authors' layout.
    """
    blocks = {
        match[1]: _num_maps(
            weights[f'{match[1]}SB.feature_reduction.0.weight'], value)
        for key, value in weights.items()
        if (match := re.fullmatch(r'(.*\.|)SB\.sb_conv\.weight', key))
    }
    if not blocks:
        raise ValueError("the checkpoint has no weights named SB.sb_conv: it "
                         "is not in the authors' layout")
    result = {}
    for key, value in weights.items():
        block = re.match(r'(layer\d+\.\d+\.|)', key)[0]
        name = key.removeprefix(block)
        if block in blocks and name.startswith('bn2.'):
            features, own = ((value, value) if value.dim() == 0 else
                             value.tensor_split([-blocks[block]]))
            result[key] = features.clone()
            result[f'{block}spatial_bias.norm.{name[4:]}'] = own.clone()
            continue
        for theirs, ours in (('SB.feature_reduction.0', 'reduction.conv'),
                             ('SB.feature_reduction.1', 'reduction.bn'),
                             ('SB.sb_conv', 'mix')):
            if name.startswith(f'{theirs}.'):
                key = f'{block}spatial_bias.{ours}{name[len(theirs):]}'
        result[key] = value
    return result


def _num_maps(reduction, mix):
    """m of the m + t - 1 channels of the reduction, of t taps."""
    return reduction.size(0) - mix.size(2) + 1
