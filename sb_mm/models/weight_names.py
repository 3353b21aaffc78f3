"""The names that other toolboxes and libraries have for the same weights."""
import re

#: Names of modules with groups for stage, block, convolution and norm, and
#: what stages and convolutions are counted from.
_OTHER_LIBRARIES = {
    'transformers':
    (r'(?:resnet\.)?(?:embedder\.embedder|'
     r'encoder\.stages\.(\d+)\.layers\.(\d+)\.(?:layer\.(\d+)|shortcut))'
     r'\.(?:convolution|(normalization))', 0, 0),
    'detectron2':
    (r'(?:stem\.conv1|res(\d+)\.(\d+)\.(?:conv(\d+)|shortcut))(\.norm)?',
     2, 1),
}


def rename_to_this_toolbox(net, state_dict, prefix):
    """Rename what the toolboxes name differently, in place.

    Hugging Face's transformers and Detectron2 have names of their own for all
    layers. A deep stem is three ``ConvModule`` in MMPreTrain, nine layers in
    the others, and seven layers and ``bn1`` in timm. Before the convolution of
    a shortcut with stride 1 the ResNetV1d of MMDetection and MMSegmentation
    has a pooling of one position, which changes nothing, and that of
    MMPreTrain has none.

    Args:
        net (SBResNetMixin): Network that the weights are for.
        state_dict (dict): Weights about to be loaded.
        prefix (str): Prefix of the names of the network.

    Raises:
        ValueError: If a shortcut pools and the network's does not, or the
            other way round.
    """
    _rename(state_dict, prefix, _name_of_torchvision)
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
    _rename(state_dict, prefix, lambda module: names.get(module, module))


def _rename(state_dict, prefix, new_name):
    renamed = {}
    for key in [key for key in state_dict if key.startswith(prefix)]:
        module, _, tensor = key.removeprefix(prefix).rpartition('.')
        if (name := new_name(module)) != module:
            renamed[f'{prefix}{name}.{tensor}'] = state_dict.pop(key)
    state_dict.update(renamed)


def _name_of_torchvision(module):
    for pattern, first_stage, first_conv in _OTHER_LIBRARIES.values():
        found = re.fullmatch(pattern, module)
        if not found:
            continue
        stage, block, conv, norm = found.groups()
        kind = 'bn' if norm else 'conv'
        if stage is None:
            return f'{kind}1'
        block = f'layer{int(stage) - first_stage + 1}.{block}'
        if conv is None:
            return f'{block}.downsample.{1 if norm else 0}'
        return f'{block}.{kind}{int(conv) - first_conv + 1}'
    return module


def _position_of_conv(weights, prefix):
    """Where the convolution of a shortcut is: 0, 1 after a pooling, or None if
    there is none."""
    for i in range(2):
        weight = weights.get(f'{prefix}{i}.weight')
        if weight is not None and weight.dim() == 4:
            return i
