"""Trained networks in files that run without this package."""
import math
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import List, Optional, Tuple

import torch
from torch import nn

from ..models.bias_effects import backbone_of
from ..models.pooling import pool_by_matrices
from .checks import InputError, check_at_least
from .model import (build_model, check_classifier, is_multi_label,
                    load_weights)

SUFFIXES = dict(onnx='.onnx', torchscript='.pt', exported='.pt2')
#: What a network of fixed strides needs, where the exporter asks for a rule.
_MULTIPLE = 32
#: Has PyTorch's ONNX exporter trace, the only way that older ones know.
TRACING = ({'dynamo': False} if 'dynamo' in signature(
    torch.onnx.export).parameters else {})
#: Whether ``torch.export`` has all that is needed, since PyTorch 2.2.
HAS_TORCH_EXPORT = hasattr(getattr(torch, 'export', None), 'Dim')


def export(config: str,
           checkpoint: str,
           format: str,
           out: str,
           what: str = 'model',
           size: Tuple[int, int] = (224, 224),
           dynamic: bool = False,
           cfg_options: Optional[dict] = None,
           trust: bool = False) -> List[dict]:
    """Write a trained network to a file, read it back and compare.

    The network in the file takes images in RGB from 0 to 255, shape
    (N, 3, H, W), and normalises them itself. A classifier gives ``scores`` of
    shape (N, classes) from 0 to 1, which sum to 1 unless it is one of several
    labels, a segmentor ``scores`` of shape (N, classes, H, W) whose largest is
    the label, a backbone, with its neck in a detector, ``feature_0``,
    ``feature_1``, ….

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights.
        format (str): 'onnx', 'torchscript', or 'exported' for
            ``torch.export``.
        out (str): File to write.
        what (str): 'model' or 'backbone'. Defaults to 'model'.
        size (tuple[int, int]): Height and width of the images in pixels.
            Defaults to (224, 224).
        dynamic (bool): Whether the file takes every size and batch; with
            'exported' every multiple of 32. Defaults to False.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read a checkpoint with more than weights in
            it, which can run code. Defaults to False.

    Returns:
        list[dict]: For three images, of three sizes if ``dynamic``, and each
        output the largest difference to the network in PyTorch.

    Raises:
        InputError: If a file or a package is missing, or the whole model has
            no plain forward pass or is none of these.
    """
    _check(format, out, size, dynamic)
    cfg, model = build_model(config, cfg_options)
    load_weights(model, checkpoint, trust)
    network = _Deployed(model, cfg.default_scope, what).eval()
    x = _image(size)
    with torch.no_grad():
        names = network.names(len(network(x)))
        Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)
        run = dict(
            onnx=_to_onnx, torchscript=_to_torchscript,
            exported=_to_exported)[format](network, x, names, dynamic, out)
        step = _MULTIPLE if format == 'exported' else 17
        sizes = [size] * 3
        if dynamic:
            sizes = [size, (size[0] + step, size[1] + 3 * step),
                     (size[0] + 2 * step, size[1] + step)]
        return [
            row for i, (height, width) in enumerate(sizes)
            for row in _compare(network, run, names,
                                _image((height, width), 1 + dynamic * i % 2))
        ]


def _check(format, out, size, dynamic):
    check_at_least(1, size=min(size))
    suffix = SUFFIXES[format]
    if Path(out).suffix != suffix:
        raise InputError(f'--out must end in {suffix} for --format {format}, '
                         f'but got {out}')
    missing = [name for name in ('onnx', 'onnxruntime', 'onnxscript')
               if format == 'onnx' and not find_spec(name)]
    if missing:
        raise InputError(f'--format onnx needs {", ".join(missing)}: pip '
                         f'install {" ".join(missing)}')
    if format == 'exported' and dynamic and any(n % _MULTIPLE for n in size):
        raise InputError('--format exported --dynamic needs a --size of '
                         f'multiples of {_MULTIPLE}, but got {size}')
    if format == 'exported' and not HAS_TORCH_EXPORT:
        raise InputError('--format exported needs PyTorch 2.2 or newer, but '
                         f'here is {torch.__version__}')


class _Deployed(nn.Module):
    """A model with its normalisation before it."""

    def __init__(self, model, scope, what):
        super().__init__()
        if what == 'model' and scope == 'mmdet':
            raise InputError(
                'MMDetection has no forward pass of a whole detector from a '
                'tensor to tensors, and leaves that to MMDeploy. --what '
                'backbone exports backbone and neck')
        if what == 'model' and scope == 'mmpretrain':
            check_classifier(model, '. --what backbone exports its backbone')
        self.model, self.scope, self.what = _pool_by_products(
            model), scope, what
        preprocessor = model.data_preprocessor
        mean = getattr(preprocessor, 'mean', None)
        if mean is None:
            mean, std = torch.zeros(1), torch.ones(1)
        else:
            std = preprocessor.std
        self.register_buffer('mean', mean.float().view(-1, 1, 1))
        self.register_buffer('std', std.float().view(-1, 1, 1))
        self.bgr = not any(
            getattr(preprocessor, name, False)  # the last before mmseg 1.3
            for name in ('to_rgb', '_channel_conversion',
                         'channel_conversion'))

    def names(self, count):
        if self.what == 'model':
            return ['scores']
        return [f'feature_{i}' for i in range(count)]

    def forward(self, x):
        size = x.shape[2:]
        x = x.flip(1) if self.bgr else x
        x = (x - self.mean) / self.std
        if self.what == 'backbone':
            return (self.model.extract_feat(x)
                    if self.scope == 'mmdet' else backbone_of(self.model)(x))
        if self.scope == 'mmpretrain':
            scores = self.model(x)
            return (scores.sigmoid() if is_multi_label(self.model)
                    else scores.softmax(1)),
        # heads give something else to their training than to a prediction
        scores = self.model.encode_decode(x, [dict(img_shape=size)] * len(x))
        if (self.model.num_classes, self.model.out_channels) == (2, 1):
            threshold = self.model.decode_head.threshold
            scores = torch.cat([
                torch.full_like(scores, math.log(threshold / (1 - threshold))),
                scores], 1)
        return scores,


class _Pool(nn.Module):

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        return pool_by_matrices(x, self.size)


def _pool_by_products(model):
    """Adaptive pooling in a form that is exported for every size."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            size = getattr(child, 'output_size', None)
            size = size[0] if isinstance(size, tuple) and len(
                set(size)) == 1 else size
            if isinstance(child, nn.AdaptiveAvgPool2d) and isinstance(
                    size, int) and size > 1:
                setattr(module, name, _Pool(size))
    return model


def _image(size, batch=1):
    return torch.rand(batch, 3, *size) * 255


def _to_onnx(network, x, names, dynamic, out):
    import onnxruntime
    axes = {0: 'batch', 2: 'height', 3: 'width'}
    torch.onnx.export(
        network, (x, ),
        out,
        opset_version=17,
        input_names=['image'],
        output_names=names,
        dynamic_axes=dict(image=axes) if dynamic else None,
        **TRACING)
    session = onnxruntime.InferenceSession(
        out, providers=['CPUExecutionProvider'])
    return lambda x: map(torch.from_numpy,
                         session.run(None, dict(image=x.numpy())))


def _to_torchscript(network, x, names, dynamic, out):
    torch.jit.trace(network, x, check_trace=False).save(out)
    return torch.jit.load(out)


def _to_exported(network, x, names, dynamic, out):
    shapes = None
    if dynamic:
        height, width = (
            _MULTIPLE * torch.export.Dim(name, min=1, max=1024)
            for name in ('height', 'width'))
        shapes = ({0: torch.export.Dim('batch'), 2: height, 3: width}, )
        x = x.expand(2, -1, -1, -1)  # 1 would be taken for a constant
    torch.export.save(
        torch.export.export(network, (x, ), dynamic_shapes=shapes), out)
    return torch.export.load(out).module()


def _compare(network, run, names, x):
    for name, ours, theirs in zip(names, network(x), run(x), strict=True):
        difference = (ours - theirs).abs().max().item()
        relative = difference / ours.abs().max().item()
        yield {
            'output': name,
            'shape': '×'.join(map(str, ours.shape)),
            'image (px)': '{}×{}'.format(*x.shape[2:]),
            'largest difference': f'{difference:.1e}',
            'to the largest value': f'{relative:.1e}',
            'status': 'ok' if relative < 1e-3 else 'failed: differs'
        }
