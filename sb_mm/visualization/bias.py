"""The bias maps that a trained network adds to its blocks."""
from itertools import groupby
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import VISUALIZERS

from ..analysis.picture import subplots
from ..analysis.table import write_table
from ..apis.checks import check_checkpoint
from ..apis.data_checks import DataError, name_unreadable_files
from ..apis.model import build_model, load_weights
from ..models import SpatialBias


def show_bias(config,
              checkpoint,
              images,
              out='work_dirs/bias',
              vis_backends=('LocalVisBackend', ),
              cfg_options=None,
              trust=False):
    """Draw the bias maps of every SB block over images, and measure what the
    blocks would do without.

    A picture for each image and stage has a row for each block and a column
    for each map. The effect of a block's bias is
    ``‖y - y₀‖ / ‖y‖`` of the block's output y and the output y₀ with its maps
    set to zero, the input being the same.

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights.
        images (list[str]): Image files.
        out (str): Folder for the pictures, ``table.md`` and ``table.csv``.
            Defaults to 'work_dirs/bias'.
        vis_backends (Sequence[str]): MMEngine's backends that the pictures
            and effects go to. Defaults to files.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read a checkpoint with more than weights in
            it, which can run code. Defaults to False.

    Returns:
        list[dict]: For each image and block the largest value of its maps and
        the effect. An image that cannot be read says so in its ``status``.

    Raises:
        FileNotFoundError: If an image does not exist.
        InputError: If the config or the checkpoint does not exist.
        ValueError: If the model has no SB block.
    """
    missing = [name for name in images if not Path(name).is_file()]
    if missing:
        raise FileNotFoundError(f'no such file: {", ".join(missing)}')
    check_checkpoint(checkpoint)
    cfg, model = build_model(config, cfg_options)
    blocks = _sb_blocks(model.backbone)
    if not blocks:
        raise ValueError(f'the model of {config} has no SB block')
    load_weights(model, checkpoint, trust)
    name_unreadable_files(cfg.default_scope)
    visualizer = VISUALIZERS.build({
        **cfg.visualizer, 'name': f'bias of {out}',
        'save_dir': out,
        'vis_backends': [dict(type=name) for name in vis_backends]
    })
    pipeline = Compose([
        transform for transform in cfg.test_dataloader.dataset.pipeline
        if 'Annotations' not in transform.type
    ])

    rows = []
    for step, path in enumerate(images):
        # MMDetection's samples want an id
        try:
            data = pseudo_collate([pipeline(dict(img_path=path, img_id=step))])
        except DataError as error:
            rows.append(dict(image=Path(path).name, status=str(error)))
            continue
        inputs = model.data_preprocessor(data)['inputs']
        maps, effects = _measure(model.backbone, blocks, inputs)
        for stage, picture in _stages(inputs[0], maps, effects):
            visualizer.add_image(f'{Path(path).stem}_{stage}', picture, step)
        visualizer.add_scalars(
            {f'effect/{name}': value for name, value in effects.items()}, step)
        rows += [{
            'image': Path(path).name,
            'block': name,
            'largest value': f'{maps[name].max():.2f}',
            'effect (ratio)': f'{effects[name]:.3f}',
            'status': 'ok'
        } for name in blocks]
    visualizer.close()
    write_table(rows, out)
    return rows


class BiasPictures:
    """Draws the bias maps for what a model is given.

    Args:
        model (nn.Module): Model with SB blocks.

    Raises:
        ValueError: If it has none.
    """

    def __init__(self, model):
        self.backbone, self.blocks = model.backbone, _sb_blocks(model.backbone)
        if not self.blocks:
            raise ValueError('the model has no SB block, whose maps could be '
                             'drawn')
        self.backbone.register_forward_pre_hook(self._keep)
        self.kept = True

    def _keep(self, _, args):
        if self.kept is not None:
            self.inputs = args[0]

    def draw(self):
        """Yield the pictures of the last batch: for each image a dict of
        stages and RGB pictures."""
        inputs, self.kept = self.inputs, None
        for image in inputs:
            maps, effects = _measure(self.backbone, self.blocks, image[None])
            yield dict(_stages(image, maps, effects))
        self.kept = True

    def write(self, folder, names):
        """Write the pictures of the last batch.

        Args:
            folder (Path): Folder.
            names (list[Path]): Name of each image.
        """
        for name, stages in zip(names, self.draw()):
            for stage, picture in stages.items():
                path = (folder / name).with_name(f'{name.stem}_{stage}.jpg')
                mmcv.imwrite(mmcv.rgb2bgr(picture), str(path))


def _stages(image, maps, effects):
    """Yield name and picture of every stage."""
    picture = _picture(image)
    for stage, names in groupby(maps, lambda name: name.split('.')[0]):
        yield stage, _draw(picture, {name: maps[name] for name in names},
                           effects)


def _sb_blocks(backbone):
    """dict[str, tuple[nn.Module, nn.Module]]: Block and SB layer by the name
    of the block."""
    blocks = {}
    for name, module in backbone.named_modules():
        if isinstance(module, SpatialBias):
            block = name.rpartition('.')[0]
            blocks[block] = backbone.get_submodule(block), module
    return blocks


@torch.no_grad()
def _measure(backbone, blocks, inputs):
    """Maps, and effect, of every block for the first image of the inputs."""
    maps, seen = {}, {}
    hooks = []
    for name, (block, layer) in blocks.items():
        hooks += [
            layer.norm.register_forward_hook(
                lambda _, args, out, name=name: maps.update(
                    {name: out[0].relu()})),
            block.register_forward_hook(
                lambda _, args, out, name=name: seen.update(
                    {name: (args[0], out)}))
        ]
    backbone(inputs)
    for hook in hooks:
        hook.remove()
    effects = {}
    for name, (block, layer) in blocks.items():
        x, y = seen[name]
        hook = layer.norm.register_forward_hook(
            lambda _, args, out: torch.zeros_like(out))
        effects[name] = ((y - block(x)).norm() / y.norm()).item()
        hook.remove()
    return {name: maps[name] for name in blocks}, effects


def _picture(x):
    """What imshow takes, of a normalised image of shape (3, H, W)."""
    x = x.permute(1, 2, 0)
    return ((x - x.min()) / (x.max() - x.min())).cpu().numpy()


def _draw(picture, maps, effects):
    """The maps of the blocks of a stage over a picture, as an RGB image."""
    height, width, _ = picture.shape
    grey = picture.mean(2)
    columns = 1 + len(next(iter(maps.values())))
    figure, axes = subplots(
        len(maps), columns,
        (2.2 * columns + .8, 2.3 * len(maps) * height / width + .4))
    for line, (name, values) in zip(axes, maps.items()):
        line[0].imshow(picture)
        line[0].set_title(f'{name}: effect {effects[name]:.2f}', fontsize=10)
        top = max(values.max().item(), 1e-6)
        for i, (axis, value) in enumerate(zip(line[1:], values)):
            axis.imshow(grey, cmap='gray')
            shown = axis.imshow(
                value.cpu().numpy(),
                cmap='viridis',
                vmin=0,
                vmax=top,
                alpha=.7,
                extent=(-.5, width - .5, height - .5, -.5))
            axis.set_title(f'map {i}', fontsize=10)
        figure.colorbar(shown, ax=line.tolist(), shrink=.8)
    for axis in axes.flat:
        axis.set_axis_off()
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
