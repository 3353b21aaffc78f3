"""What can be wrong with labelled pictures, in the formats of the toolboxes.

Each class here reads the annotations of one dataset of a config, and yields
what is wrong as ``(kind, where)``.
"""
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import ExifTags
from pycocotools import mask as mask_utils

from ..utils.picture import open_whole
from .checks import InputError
from .pictures import images_in

#: Without these an entry in COCO's format cannot be checked any further.
_KEYS = dict(
    images=('id', 'file_name', 'width', 'height'),
    categories=('id', 'name'),
    annotations=('id', 'image_id', 'category_id', 'bbox'))
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
             if not any(_lacks(entry, key) for key in keys)]
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
                       f'{_list(self.names.values())}')
        wanted = [name for name in self.classes if name in there]
        if there != wanted:
            yield ('categories in another order',
                   f'{self.ann_file} has {_list(there)}, the config '
                   f'{_list(wanted)}; labels follow the file, so bring '
                   'the classes of the config into its order')
        for path in self.files:
            if not path.is_file():
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

    def others(self):
        """Yield what is wrong with images and annotations apart from what
        :meth:`severe` has."""
        for kind in _KEYS:
            ids = Counter(entry.get('id') for entry in self.data.get(kind, ()))
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
        width, height = _size(path, self.pipeline)
        if (width, height) != (given['width'], given['height']):
            yield ('size that is not the one written', f'{path} is {width}×'
                   f'{height}, written is {given["width"]}×{given["height"]}')


class Maps:
    """Maps of labels in a folder beside that of the images.

    Args:
        dataset (BaseDataset): The dataset, not loaded.
        pipeline (Sequence[dict]): What its samples go through. Defaults to ().
        evaluators (Sequence[dict]): What evaluates it. Defaults to ().
    """
    unit = 'pixels'

    def __init__(self, dataset, pipeline=(), evaluators=()):
        self.classes = dataset.metainfo.get('classes') or ()
        self.dataset, self.pipeline = dataset, pipeline
        rows = dataset.load_data_list()
        self.files = {Path(row['img_path']): row.get('seg_map_path')
                      for row in rows}
        self.is_evaluated = any(
            not each.get('format_only') for each in evaluators)
        self.pixels = Counter({name: 0 for name in self.classes})
        self.none = f'none ({dataset.ignore_index})'

    def counts(self):
        """Counter: Pixels of each class, and of none if there are any, of the
        maps that were read."""
        return self.pixels

    def severe(self):
        """Yield what does not need the images to be read."""
        for image, labels in self.files.items():
            if not image.is_file():
                yield 'image that is not there', str(image)
            if labels is None:
                if self.is_evaluated or not self.dataset.test_mode:
                    yield ('map of labels that is not there',
                           f'that of {image}: data_prefix has no seg_map_path')
            elif not Path(labels).is_file():
                yield 'map of labels that is not there', f'{labels} of {image}'

    def others(self):
        """Yield maps without an image, and images that are not taken."""
        if Path(self.dataset.ann_file or '').is_file():
            return  # it names those that are
        images, labels = (self.dataset.data_prefix.get(key)
                          for key in ('img_path', 'seg_map_path'))
        known = {Path(path) for path in self.files.values() if path}
        suffix = f'*{self.dataset.seg_map_suffix}'
        for path in sorted(Path(labels).rglob(suffix)) if labels else ():
            if path not in known:
                yield 'map of labels without an image', str(path)
        if not images or labels and Path(labels).is_relative_to(images):
            return  # where maps are images too
        for path in images_in(images):
            if path not in self.files:
                yield ('image that is left out', f'{path}; taken are those '
                       f'that end in {self.dataset.img_suffix} (img_suffix)')

    def read(self, path):
        """Yield what is wrong with an image and its map once they are
        read."""
        (width, height), labels = _size(path, self.pipeline), self.files[path]
        if labels is None or not Path(labels).is_file():
            return
        found = np.asarray(open_whole(labels))
        if found.ndim != 2:
            yield ('map of labels that has colours',
                   f'{labels} has {found.shape[2]} channels, one is wanted')
            return
        if found.shape != (height, width):
            yield ('size that is not that of the image', f'{labels} is '
                   f'{found.shape[1]}×{found.shape[0]}, the image is '
                   f'{width}×{height}')
        first = int(self.dataset.reduce_zero_label)
        values, numbers = np.unique(found, return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist()):
            label = value - first
            if 0 <= label < len(self.classes):
                self.pixels[self.classes[label]] += number
            elif label < 0 or value == self.dataset.ignore_index:
                self.pixels[self.none] += number
            else:
                yield ('label out of range', f'{labels} has {value} in '
                       f'{number} pixels; {first} to '
                       f'{len(self.classes) - 1 + first} and '
                       f'{self.dataset.ignore_index} are allowed')


class Folders:
    """Images with one label each, by their folder or by a file.

    Args:
        dataset (BaseDataset): The dataset, not loaded.
        pipeline (Sequence[dict]): Not used.
        evaluators (Sequence[dict]): Not used.

    Raises:
        InputError: If there are not as many folders as classes.
    """
    unit = 'images'

    def __init__(self, dataset, pipeline=(), evaluators=()):
        self.folder = dataset.img_prefix
        try:
            dataset.full_init()
        except AssertionError as error:  # which names none of them
            names = sorted(
                path.name for path in Path(self.folder).iterdir()
                if path.is_dir())
            raise InputError(
                f'{self.folder} has {len(names)} folders ({_list(names)}), '
                f'the config {len(dataset.CLASSES)} classes '
                f'({_list(dataset.CLASSES)})') from error
        self.classes = dataset.metainfo.get('classes') or ()
        # none where a file has the labels
        self.folders = tuple(getattr(dataset, 'folder_to_idx', ()))
        self.extensions = dataset.extensions
        rows = [dataset.get_data_info(i) for i in range(len(dataset))]
        self.files = {Path(row['img_path']): row.get('gt_label') for row in rows}

    def counts(self):
        """Counter: Images of each class."""
        counts = Counter({name: 0 for name in self.classes})
        for label in self.files.values():
            if isinstance(label, int) and label < len(self.classes):
                counts[self.classes[label]] += 1
        return counts

    def severe(self):
        """Yield what does not need the images to be read."""
        # a class may be called other than its folder, as those of ImageNet
        if any(name in self.classes and name != label
               for name, label in zip(self.folders, self.classes)):
            yield ('folders that are not the classes',
                   f'{self.folder} has {_list(self.folders)}, the config '
                   f'{_list(self.classes)}; labels follow the folders in the '
                   'order of their names')
        for path in self.files:
            if not path.is_file():
                yield 'image that is not there', str(path)

    def others(self):
        """Yield labels out of range, and images in the folders of classes that
        are not taken."""
        for path, label in self.files.items():
            if isinstance(label, int) and not 0 <= label < len(self.classes):
                yield 'label out of range', f'{path} has {label}'
        for path in images_in(self.folder) if self.folders else ():
            if path not in self.files:
                yield ('image that is left out', f'{path}; taken are '
                       f'{", ".join(self.extensions)} in the folder of a class')

    def read(self, path):
        """Yield nothing: an image that can be read is good."""
        open_whole(path)
        return ()


class Unknown:
    """A dataset of a kind that is not known here, or that is not on a local
    disk."""

    def __init__(self, name):
        self.name, self.files = name, {}

    def counts(self):
        """dict: Nothing."""
        return {}

    def severe(self):
        """Yield nothing."""
        return ()

    def others(self):
        """Yield that nothing was checked."""
        yield ('data that are not checked', f'{self.name}: only local files '
               "in COCO's format, maps of labels and folders of classes are")


def other_folders(data, first):
    """Yield that the folders of classes are not those of another dataset, from
    which the labels of both follow.

    Args:
        data (Coco, Maps, Folders or Unknown): The dataset.
        first (Coco, Maps, Folders or Unknown): The other.
    """
    ours, theirs = (getattr(each, 'folders', ()) for each in (data, first))
    if ours and theirs and ours != theirs:
        yield ('folders that are not those of training',
               f'{data.folder} has {_list(ours)}, {first.folder} '
               f'{_list(theirs)}; labels follow the folders in the order of '
               'their names')


def without_annotation(datasets):
    """Yield the images in the folders of COCO's annotations that no file of
    annotations has.

    Args:
        datasets (list): All that the config has; they may share a folder.
    """
    datasets = [each for each in datasets if isinstance(each, Coco)]
    known = {path for each in datasets for path in each.files}
    for folder in dict.fromkeys(each.folder for each in datasets):
        for path in images_in(folder):
            if path not in known:
                yield 'image without an entry', str(path)


def _list(names, number=10):
    names = list(map(str, names))
    return ', '.join(names[:number]) + (', …' if names[number:] else '')


def _size(path, pipeline):
    """tuple[int, int]: Width and height of an image as the pipeline reads it:
    turned as its EXIF says, if it has not been told to ignore that."""
    image = open_whole(path)
    turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    ignored = any(
        re.search('ignore_orientation|unchanged', step.get('color_type', ''))
        for step in pipeline)
    return image.size[::-1] if turned and not ignored else image.size


def _lacks(entry, key):
    return entry.get(key) in (None, [], '')


def _box(ann):
    """list[float] or None: x, y, width and height, if that is what it has."""
    box = ann.get('bbox')
    if (isinstance(box, list) and len(box) == 4
            and all(isinstance(value, (int, float)) for value in box)):
        return box


def _is_passed_over(ann):
    """Whether MMDetection does not take an object."""
    _, _, w, h = _box(ann) or (0, ) * 4
    area = ann.get('area')
    return w < 1 or h < 1 or area is not None and area <= 0


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
            points = np.asarray(polygon, float)
            if points.size < 6 or points.size % 2:
                return f'polygon of {points.size} numbers'
            points = points.reshape(-1, 2)
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
