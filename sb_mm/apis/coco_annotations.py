"""What can be wrong with annotations in COCO's format."""
import json
from collections import Counter
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_utils

from ..utils.picture import size_as_read
from .checks import InputError, listed
from .pictures import missing

#: Without these an entry in COCO's format cannot be checked any further.
_KEYS = dict(
    images=('id', 'file_name', 'width', 'height'),
    categories=('id', 'name'),
    annotations=('id', 'image_id', 'category_id', 'bbox'))
_NUMBERS = ('width', 'height', 'area')
_VALUES = dict(area='pixels of the mask or of the box', iscrowd='0 for one object')


class Coco:
    """Annotations in COCO's format.

    Args:
        dataset (BaseDataset): The dataset, not loaded.
        pipeline (Sequence[dict]): What its samples go through. Defaults to ().
        evaluators (Sequence[dict]): What evaluates it. Defaults to ().

    Raises:
        InputError: If the file is not valid JSON.
    """
    unit = 'objects'

    def __init__(self, dataset, pipeline=(), evaluators=()):
        self.classes = dataset.metainfo.get('classes') or ()
        self.folder = Path(dataset.data_prefix.get('img', ''))
        self.ann_file, self.pipeline = dataset.ann_file, pipeline
        # COCO's own evaluation reads the file, others what the dataset has
        metrics = [
            each.get('metric', ()) for each in evaluators
            if each.get('ann_file') and not each.get('format_only')
        ]
        self.is_evaluated = bool(metrics)
        self.evaluates_masks = any('segm' in metric for metric in metrics)
        self.also = ['area']
        if metrics:
            self.also.append('iscrowd')
        if self.evaluates_masks or any(
                step.get('with_mask') for step in pipeline):
            self.also.append('segmentation')
        try:
            with open(self.ann_file) as file:
                data = json.load(file)
        except ValueError as error:  # of its JSON
            raise InputError(
                f'{self.ann_file} cannot be read: {error}') from error
        self.data = {
            key: value or () for key, value in data.items()
        } if isinstance(data, dict) else {}
        images, categories, self.annotations = (
            [entry for entry in self.data.get(kind, ())
             if not any(_lacks(entry, key) or key in _NUMBERS
                        and not _is_numbers([entry[key]]) for key in keys)]
            for kind, keys in _KEYS.items())
        self.images = {image['id']: image for image in images}
        self.files = {self.folder / image['file_name']: image
                      for image in images}
        self.names = {cat['id']: cat['name'] for cat in categories}

    def counts(self):
        """Counter: Objects of each class."""
        counts = Counter({name: 0 for name in self.classes})
        for ann in self.annotations:
            counts[self.names.get(ann['category_id'])] += 1
        return Counter({name: counts[name] for name in self.classes})

    def severe(self):
        """Yield what does not need the images to be read."""
        incomplete = list(self._incomplete())
        if incomplete:  # everything else may follow from it
            yield from incomplete
            return
        there = [name for name in self.names.values() if name in self.classes]
        for name in self.classes:
            if name not in there:
                yield ('category that is missing',
                       f'{self.ann_file} has no {name!r}; it has '
                       f'{listed(self.names.values())}')
        wanted = [name for name in self.classes if name in there]
        if there != wanted:
            yield ('categories in another order',
                   f'{self.ann_file} has {listed(there)}, the config '
                   f'{listed(wanted)}; labels follow the file, so bring '
                   'the classes of the config into its order')
        for path in missing(self.files):
            yield 'image that is not there', str(path)
        for ann in self.annotations:
            where = f'annotation {ann["id"]}'
            if _box(ann) is None:
                yield 'box that is not 4 numbers', f'{where}, {ann["bbox"]}'
            if ann['image_id'] not in self.images:
                yield ('annotation of an unknown image',
                       f'{where}, image_id {ann["image_id"]}')
            if ann['category_id'] not in self.names:
                yield ('annotation of an unknown category',
                       f'{where}, category_id {ann["category_id"]}')
        if self.annotations and all(map(_is_passed_over, self.annotations)):
            yield ('objects that are all passed over',
                   f'{self.ann_file}: none has a pixel, such as '
                   f'{self.annotations[0]["bbox"]}; boxes are x, y, width and '
                   'height in pixels')

    def _incomplete(self):
        """Yield what MMDetection or the evaluation looks up in vain."""
        for kind, keys in _KEYS.items():
            if kind not in self.data:
                if kind != 'annotations' or self.is_evaluated:
                    yield ('list that is missing',
                           f'{self.ann_file} has no {kind!r}')
                continue
            entries = self.data[kind]
            for key in (*keys, *(self.also if kind == 'annotations' else ())):
                lacking = [
                    i for i, entry in enumerate(entries) if _lacks(entry, key)
                    and not (key == 'segmentation' and _is_passed_over(entry)
                             and not self.evaluates_masks)
                ]
                if lacking:
                    value = f' ({_VALUES[key]})' if key in _VALUES else ''
                    yield ('key that is missing',
                           f'{self.ann_file}: {len(lacking):,} of '
                           f'{len(entries):,} {kind} have no {key!r}{value}, '
                           f'the first is {kind}[{lacking[0]}]')
                wrong = key in _NUMBERS and [
                    i for i, entry in enumerate(entries)
                    if not (_lacks(entry, key) or _is_numbers([entry[key]]))
                ]
                if wrong:
                    yield ('value that is not a number',
                           f'{self.ann_file}: {key!r} of {len(wrong):,} of '
                           f'{len(entries):,} {kind}, the first is '
                           f'{kind}[{wrong[0]}], {entries[wrong[0]][key]!r}')

    def others(self):
        """Yield what is wrong with images and annotations apart from what
        :meth:`severe` has."""
        for kind in _KEYS:
            ids = Counter(entry.get('id') for entry in self.data.get(kind, ())
                          if isinstance(entry, dict))
            for number, times in ids.items():
                if times > 1 and number is not None:
                    yield 'id that is not unique', f'{number}, {times} {kind}'
        for ann in self.annotations:
            image, box = self.images.get(ann['image_id']), _box(ann)
            if image is None or box is None:
                continue
            where = f'{image["file_name"]}, annotation {ann["id"]}'
            x, y, w, h = box
            if not (w > 0 and h > 0):
                yield 'box that is empty', f'{where}, {ann["bbox"]}'
            elif (x < -1 or y < -1 or x + w > image['width'] + 1
                  or y + h > image['height'] + 1):
                yield ('box outside its image', f'{where}, {ann["bbox"]} in '
                       f'{image["width"]}×{image["height"]}')
            elif _is_passed_over(ann):
                yield ('object that is passed over', f'{where}, {ann["bbox"]}, '
                       f'area {ann.get("area")}; it has to have a pixel')
            reason = _wrong_mask(ann.get('segmentation'), image, box)
            if reason:
                yield 'mask that is not valid', f'{where}, {reason}'

    def read(self, path):
        """Yield what is wrong with an image once it is read.

        Args:
            path (Path): Its file.
        """
        given = self.files[path]
        width, height = size_as_read(path, self.pipeline)
        if (width, height) != (given['width'], given['height']):
            yield ('size that is not the one written', f'{path} is {width}×'
                   f'{height}, written is {given["width"]}×{given["height"]}')


def _lacks(entry, key):
    return not isinstance(entry, dict) or entry.get(key) in (None, [], '')


def _box(ann):
    """list[float] or None: x, y, width and height, if that is what it has."""
    box = ann.get('bbox')
    if _is_numbers(box) and len(box) == 4:
        return box


def _is_numbers(values):
    return isinstance(values, list) and all(
        isinstance(value, (int, float)) for value in values)


def _is_passed_over(ann):
    """Whether MMDetection does not take an object."""
    _, _, w, h = _box(ann) or (0, ) * 4
    area = ann.get('area')
    return w < 1 or h < 1 or _is_numbers([area]) and area <= 0


def _wrong_mask(mask, image, box):
    """str or None: What is wrong with a mask in COCO's format."""
    height, width = image['height'], image['width']
    if isinstance(mask, dict):
        if not {'size', 'counts'} <= mask.keys():
            return f'RLE with {", ".join(mask)} instead of size and counts'
        if list(mask['size']) != [height, width]:
            return f'RLE of {mask["size"]}, the image is {[height, width]}'
        if isinstance(mask['counts'], list):
            mask = mask_utils.frPyObjects(mask, height, width)
        if not mask_utils.area(mask):
            return 'empty RLE'
        left, top, w, h = mask_utils.toBbox(mask).tolist()
    elif isinstance(mask, list) and mask:
        corners = []
        for polygon in mask:
            if not _is_numbers(polygon):
                return 'polygon that is not numbers, x, y, x, y, …'
            if len(polygon) < 6 or len(polygon) % 2:
                return f'polygon of {len(polygon)} numbers'
            points = np.reshape(polygon, (-1, 2))
            if (points.min() < -1 or (points > [width + 1, height + 1]).any()):
                return 'polygon outside its image'
            x, y = points.T
            if not abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)):
                return 'polygon without an area'
            corners += [points.min(0), points.max(0)]
        left, top = np.min(corners, 0).round(2).tolist()
        w, h = np.ptp(corners, 0).round(2).tolist()
    else:
        return
    own = [left, top, w, h]
    # of one pixel more or less, by the tool that drew it
    ends = np.array([left, top, left + w, top + h])
    if np.abs(ends - [*box[:2], box[0] + box[2], box[1] + box[3]]).max() > max(
            3, .1 * max(w, h)):
        return f'a box around it is {own}, not {box}'
