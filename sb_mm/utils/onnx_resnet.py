"""The weights of a plain ResNet out of an ONNX file."""
from pathlib import Path
from typing import Tuple, Union

import torch

#: Depth by the convolutions of a block and the blocks of the stages.
_DEPTHS = {
    (2, (2, 2, 2, 2)): 18,
    (2, (3, 4, 6, 3)): 34,
    (3, (3, 4, 6, 3)): 50,
    (3, (3, 4, 23, 3)): 101,
    (3, (3, 8, 36, 3)): 152
}
_EPS = 1e-5  # of BN in the toolboxes
_PASSED_OVER = ('Relu', 'Identity', 'Transpose', 'Pad', 'Cast')


class _OtherNetwork(Exception):
    """Why a network is no plain ResNet."""


def read_onnx_resnet(path: Union[str, Path]) -> Tuple[dict, dict]:
    """Read a ResNet that any framework has exported.

    The layers are found by the way that the features go, whatever their names.
    Of a norm that is folded into its convolution there remains a BN that adds
    the bias.

    Args:
        path (str or Path): ONNX file of a ResNet-18, -34, -50, -101 or -152 of
            any width. What follows the last block is left out.

    Returns:
        tuple[dict, dict]: Weights with the names of the toolboxes, and the
        arguments of the backbone that they are for.

    Raises:
        ValueError: If onnx is not installed, or the file has another network.
    """
    try:
        import onnx
    except ImportError as error:
        raise ValueError('--from onnx needs onnx: pip install onnx') from error
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # of protobuf, or weights in another file
        raise ValueError(
            f'{path} cannot be read as ONNX ({error})') from error
    try:
        return _read(_Graph(graph))
    except _OtherNetwork as error:
        raise ValueError(f'{path} has no plain ResNet: {error}') from error


def _read(graph):
    pools = [node for node in graph.nodes if node.op_type == 'MaxPool']
    stem = graph.convolutions(pools[0].input[0]) if len(pools) == 1 else ()
    if len(stem) != 1:
        raise _OtherNetwork('one convolution and a MaxPool do not begin it')
    weights = _named('conv1', 'bn1', stem[0])
    stages = []
    for node in graph.nodes:
        if not graph.is_sum(node):
            continue
        shortcut, block = sorted(map(graph.convolutions, node.input), key=len)
        if len(shortcut) > 1 or len(block) not in (2, 3):
            raise _OtherNetwork(f'{node.name} adds {len(block)} convolutions '
                                f'to {len(shortcut)}')
        if shortcut or not stages:
            stages.append(0)
        prefix = f'layer{len(stages)}.{stages[-1]}.'
        stages[-1] += 1
        if prefix == 'layer2.0.':
            style = 'caffe' if block[0].stride == 2 else 'pytorch'
        for i, layer in enumerate(block, 1):
            weights.update(_named(f'{prefix}conv{i}', f'{prefix}bn{i}', layer))
        for layer in shortcut:
            weights.update(
                _named(f'{prefix}downsample.0', f'{prefix}downsample.1', layer))
    depth = stages and _DEPTHS.get((len(block), tuple(stages)))
    if not depth:
        raise _OtherNetwork(f'its stages have {stages} blocks')
    return weights, dict(
        depth=depth,
        stem_channels=len(weights['conv1.weight']),
        base_channels=len(weights['layer1.0.conv1.weight']),
        **dict(style=style) if len(block) == 3 else {})


def _named(conv, norm, layer):
    return {f'{conv}.weight': layer.kernel, **{
        f'{norm}.{key}': value for key, value in layer.norm.items()
    }}


class _Graph:
    """The nodes by what they make, and the constants among that."""

    def __init__(self, graph):
        from onnx import numpy_helper
        self.nodes = graph.node
        self.makers = {name: node for node in graph.node
                       for name in node.output}
        given = {value.name: value for value in graph.initializer}
        given.update((node.output[0], node.attribute[0].t)
                     for node in graph.node if node.op_type == 'Constant')
        self.constants = {
            name: torch.tensor(numpy_helper.to_array(value))
            for name, value in given.items()
        }

    def constant(self, name):
        """The value of a constant, which may be handed on under other
        names."""
        while name in self.makers and self.makers[name].op_type == 'Identity':
            name = self.makers[name].input[0]
        return self.constants.get(name)

    def is_sum(self, node):
        """Whether features are added to features."""
        return node.op_type in ('Add', 'Sum') and all(
            self.constant(name) is None for name in node.input)

    def convolutions(self, name):
        """list[_Layer]: Those between the beginning of the block and a
        tensor."""
        layers, norm = [], None
        while not self._begins_block(name):
            node = self.makers[name]
            if node.op_type == 'Conv':
                layers.insert(0, _Layer(self, node, norm))
                norm = None
            elif node.op_type == 'BatchNormalization' and norm is None:
                norm = node
            elif node.op_type not in _PASSED_OVER:
                raise _OtherNetwork(f'it has a {node.op_type}, {node.name}')
            name = node.input[0]
        if norm is not None:
            raise _OtherNetwork(f'{norm.name} is before its convolution')
        return layers

    def _begins_block(self, name):
        node = self.makers.get(name)
        if node is not None and node.op_type == 'Relu':
            below = self.makers.get(node.input[0])
            return below is not None and self.is_sum(below)
        return node is None or node.op_type == 'MaxPool'


class _Layer:
    """A convolution and the BN that follows it, in the network or folded."""

    def __init__(self, graph, conv, norm):
        # An optional input that is left out may have an empty name.
        values = [graph.constant(name) for name in conv.input[1:] if name]
        attributes = {each.name: each for each in conv.attribute}
        if any(value is None for value in values):
            raise _OtherNetwork(f'the weights of {conv.name} are computed')
        if 'group' in attributes and attributes['group'].i != 1:
            raise _OtherNetwork(f'{conv.name} has groups')
        self.stride = (
            attributes['strides'].ints[0] if 'strides' in attributes else 1)
        self.kernel, *bias = (value.float() for value in values)
        zeros = self.kernel.new_zeros(len(self.kernel))
        bias, eps = bias[0] if bias else zeros, _EPS
        if norm is None:  # divides by 1
            scale, shift, mean, var = zeros + 1, bias, zeros, zeros + 1 - _EPS
        else:
            scale, shift, mean, var = (
                graph.constant(name).float() for name in norm.input[1:5])
            mean = mean - bias
            eps = next((each.f for each in norm.attribute
                        if each.name == 'epsilon'), 1e-5)
        self.norm = dict(
            weight=scale * ((var + _EPS) / (var + eps)).sqrt(),
            bias=shift,
            running_mean=mean,
            running_var=var,
            num_batches_tracked=torch.tensor(0))
