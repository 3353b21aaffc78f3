"""The bias maps of a network, drawn over what it is given."""
from itertools import groupby

import mmcv
import numpy as np

from ..models.bias_effects import backbone_of, measure, sb_blocks
from ..utils.picture import subplots


class BiasPictures:
    """Draws the bias maps for what a model is given.

    Args:
        model (nn.Module): Model with SB blocks.

    Raises:
        ValueError: If it has none.
    """

    def __init__(self, model):
        self.backbone = backbone_of(model)
        self.blocks = sb_blocks(self.backbone)
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
            maps, effects = measure(self.backbone, self.blocks, image[None])
            yield dict(stages(image, maps, effects))
        self.kept = True

    def write(self, folder, names):
        """Write the pictures of the last batch.

        Args:
            folder (Path): Folder.
            names (list[Path]): Name of each image.
        """
        for name, drawn in zip(names, self.draw()):
            for stage, picture in drawn.items():
                path = (folder / name).with_name(f'{name.stem}_{stage}.jpg')
                mmcv.imwrite(mmcv.rgb2bgr(picture), str(path))


def stages(image, maps, effects):
    """Yield name and picture of every stage."""
    picture = _picture(image)
    for stage, names in groupby(maps, lambda name: name.split('.')[0]):
        yield stage, _draw(picture, {name: maps[name] for name in names},
                           effects)


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
        line[0].set_title(f'{name}: effect {effects[name]:.2g}', fontsize=10)
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
            empty = ': zero everywhere' if value.max() <= 0 else ''
            axis.set_title(f'map {i}{empty}', fontsize=10)
        figure.colorbar(
            shown, ax=line.tolist(), shrink=.8, label='value after the ReLU')
    for axis in axes.flat:
        axis.set_axis_off()
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
