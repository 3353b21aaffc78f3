"""Parameters and multiply-adds of the model of a config."""
from functools import partial
from math import prod
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.analysis import FlopAnalyzer
from mmengine.analysis.jit_handles import get_shape
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

from ..apis.checks import backbone_cfg, datasets_of, read_config
from ..apis.errors import describe
from ..apis.type_names import dicts_in
from ..models.bias_effects import backbone_of
from .receptive_field import receptive_field as find_receptive_field
from ..utils.table import write_table

#: Transforms that set the size of an image, as (W, H) but for the crops.
_SIZES = ('Resize', 'FixScaleResize', 'ResizeEdge', 'CenterCrop', 'RandomCrop',
          'RandomResizedCrop')


def compare_complexity(configs: Sequence[str],
                       shape: Optional[Tuple[int, int]] = None,
                       receptive_field: bool = False,
                       out: Optional[str] = None,
                       cfg_options: Optional[dict] = None) -> List[dict]:
    """Put the complexity of the models of configs side by side.

    Args:
        configs (list[str]): Config files; differences are to the first.
        shape (tuple[int, int], optional): Height and width of the image in
            pixels. Defaults to None, those of each config's test images.
        receptive_field (bool): Whether to find how far the last output of the
            backbone sees. Defaults to False.
        out (str, optional): Folder to write ``table.md`` and ``table.csv`` to.
            Defaults to None.
        cfg_options (dict, optional): Settings to override in every config.
            Defaults to None.

    Returns:
        list[dict]: The rows. A config that cannot be counted says why in its
        ``status``.
    """
    rows: List[dict] = []
    first = None
    for config in configs:
        row: Dict[str, object] = {'config': Path(config).stem}
        rows.append(row)
        try:
            cfg = read_config(config, cfg_options)
            parameters, flops, size = count_complexity(cfg, shape)
            field = _field(cfg) if receptive_field else ''
        except Exception as error:
            row['status'] = f'failed: {describe(error)}'
            continue
        first = first or parameters
        row.update({
            'parameters': parameters,
            'to the first': f'{parameters - first:+}',
            'multiply-adds (M)': f'{flops / 1e6:.1f}',
            'at (px)': '{}×{}'.format(*size),
            'receptive field (px)': field,
            'status': 'ok'
        })
    if out:
        write_table(rows, out)
    return rows


def _field(cfg):
    backbone = MODELS.build(backbone_cfg(cfg))
    backbone.eval()
    found = find_receptive_field(lambda x: backbone(x)[-1])
    return found[1] - found[0] + 1 if found else 'the whole image'


def count_complexity(cfg: Config,
                     shape: Optional[Tuple[int, int]] = None) -> Tuple[int, int, Tuple[int, int]]:
    """Count the parameters and multiply-adds of a model.

    For a detector the multiply-adds are those of backbone and neck, in a
    tracker those of its detector; those of RoI heads depend on the image.

    Args:
        cfg (Config): Config of the model.
        shape (tuple[int, int], optional): Height and width of the image in
            pixels. Defaults to None, those of the config's test images.

    Returns:
        tuple[int, int, tuple[int, int]]: Parameters, multiply-adds and the
        size that they were counted at.

    Raises:
        ValueError: If ``shape`` is None and the config does not say it.
    """
    shape = tuple(shape or image_shape(cfg))
    init_default_scope(cfg.get('default_scope'))
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model.eval()
    parameters = sum(param.numel() for param in model.parameters())
    if cfg.get('default_scope') not in ('mmseg', 'mmpretrain'):
        detectors = [module for module in model.modules()
                     if hasattr(module, 'extract_feat')]
        model = (detectors or [backbone_of(model)])[0]
        model.forward = getattr(model, 'extract_feat', model.forward)
    try:
        flops = count_flops(model, (3, *shape))
    except TypeError:  # of heads that want to know the size of the image
        if cfg.get('default_scope') != 'mmseg':
            raise
        model.forward = partial(
            model.encode_decode, batch_img_metas=[dict(img_shape=shape)])
        flops = count_flops(model, (3, *shape))
    return parameters, flops, shape


def count_flops(module, shape):
    """Count the multiply-adds of a module.

    Args:
        module (nn.Module): Module.
        shape (tuple[int]): Shape of its input, without the batch.

    Returns:
        int: Multiply-adds for a batch of one.
    """
    counter = FlopAnalyzer(module, torch.rand(1, *shape))
    # mmengine's own counts a product with a batch on the right alone once
    counter.set_op_handle('aten::matmul', _count_matmul)
    counter.unsupported_ops_warnings(False)
    counter.uncalled_modules_warnings(False)  # the heads of a detector
    return int(counter.total())


def _count_matmul(inputs, outputs):
    return prod(get_shape(outputs[0])) * get_shape(inputs[0])[-1]


def image_shape(cfg):
    """Height and width of the images that a config tests on, or, where it
    leaves them as they are, trains on."""
    size = cfg.model.get('data_preprocessor', {}).get('size')
    if size:
        return size
    for phase in ('test', 'train'):
        loader = cfg.get(f'{phase}_dataloader') or dict(dataset={})
        dataset = loader['dataset']
        if 'pipeline' not in dataset:  # a wrapper without one of its own
            _, dataset = next(datasets_of(dataset, ''))
        for transform in reversed([*dicts_in(dataset.get('pipeline'))]):
            size = transform.get('scale', transform.get('crop_size'))
            kind = str(transform.get('type')).rpartition('.')[2]
            if kind not in _SIZES or size is None:
                continue
            if isinstance(size, int):
                return size, size
            return size if 'Crop' in kind else size[::-1]
    raise ValueError('the config does not say the size of its test images; '
                     'give it with --shape H W')
