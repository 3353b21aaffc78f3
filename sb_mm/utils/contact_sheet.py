import math
from pathlib import Path
from typing import Sequence, Tuple, Union

import mmcv
import numpy as np

from .picture import subplots


def contact_sheet(pictures: Sequence[Tuple[str, np.ndarray]],
                  path: Union[str, Path],
                  columns: int = 4,
                  width: float = 2.4) -> None:
    """Write pictures side by side, each with its name above.

    Args:
        pictures (list[tuple[str, np.ndarray]]): Names, and pictures of shape
            (H, W, 3), BGR.
        path (str): File to write, PNG or JPEG.
        columns (int): Pictures in a row. Defaults to 4.
        width (float): Width of a picture in inches of 120 pixels. Defaults to
            2.4.
    """
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    height = width * max(
        image.shape[0] / image.shape[1] for _, image in pictures)
    figure, axes = subplots(rows, columns,
                            (columns * width, rows * (height + .3)))
    for axis in axes.flat:
        axis.axis('off')
    for axis, (name, image) in zip(axes.flat, pictures):
        axis.imshow(mmcv.bgr2rgb(image))
        axis.set_title(name, fontsize='small')
    figure.savefig(path)
