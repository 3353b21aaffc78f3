"""What can be wrong with labelled pictures, in the formats of the toolboxes.

Each class, that of COCO's format in ``coco_annotations`` too, reads the
annotations of one dataset of a config, and yields what is wrong as ``(kind,
where)``.
"""
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np

from ..utils.picture import open_whole, size_as_read
from .checks import InputError, listed
from .coco_annotations import Coco
from .pictures import images_in, missing
from .type_names import dicts_in


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
        self.files = {
            Path(row['img_path']):
            row.get('seg_map_path') and Path(row['seg_map_path'])
            for row in dataset.load_data_list()
        }
        self.are_wanted = any(
            not each.get('format_only') for each in evaluators
        ) or reads_annotations(pipeline)
        self.is_written = any('output_dir' in each for each in evaluators)
        self.pixels = Counter({name: 0 for name in self.classes})
        self.none = f'none ({dataset.ignore_index})'

    def counts(self):
        """Counter: Pixels of each class, and of none if there are any, of the
        maps that were read."""
        return self.pixels

    def severe(self):
        """Yield what does not need the images to be read."""
        for image in missing(self.files):
            yield 'image that is not there', str(image)
        named = {image.stem: image for image in self.files}
        for image in self.files if self.is_written else ():
            if named[image.stem] != image:
                yield ('images of one name', f'{image} and '
                       f'{named[image.stem]}; maps of labels are written by '
                       'the name alone, --out FILE.pkl keeps both')
        of = {labels: image for image, labels in self.files.items()}
        if None in of and self.are_wanted:
            yield ('map of labels that is not there',
                   f'that of {of[None]} and all others: data_prefix has no '
                   'seg_map_path')
        for labels in missing(filter(None, of)):
            yield ('map of labels that is not there',
                   f'{labels} of {of[labels]}')

    def others(self):
        """Yield maps without an image, and images that are not taken."""
        if Path(self.dataset.ann_file or '').is_file():
            return  # it names those that are
        images, labels = (self.dataset.data_prefix.get(key)
                          for key in ('img_path', 'seg_map_path'))
        known = set(self.files.values())
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
        width, height = size_as_read(path, self.pipeline)
        labels = self.files[path]
        if labels is None or not labels.is_file():
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
        # to the classes of the config, where the dataset has others beside
        known = self.dataset.label_map or {
            i: i for i in range(len(self.classes))}
        values, numbers = np.unique(found, return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist()):
            label = known.get(value - first, len(self.classes))
            if label < len(self.classes):
                self.pixels[self.classes[label]] += number
            elif (value < first or value == self.dataset.ignore_index
                  or value - first in known):
                self.pixels[self.none] += number
            else:
                yield ('label out of range', f'{labels} has {value} in '
                       f'{number} pixels; {first} to '
                       f'{len(known) - 1 + first} and '
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
        self.dataset, self.folder = dataset, dataset.img_prefix
        self.classes = dataset.metainfo.get('classes') or ()
        self.folders = ()  # where a file has the labels
        if dataset.with_label and not dataset.ann_file:
            from mmpretrain.datasets.custom import find_folders
            self.folders = tuple(find_folders(self.folder)[0])
            self.classes = self.classes or self.folders
            if len(self.folders) != len(self.classes):
                raise InputError(
                    f'{self.folder} has {len(self.folders)} folders '
                    f'({listed(self.folders)}), the config '
                    f'{len(self.classes)} classes ({listed(self.classes)})')

    @cached_property
    def files(self):
        """dict[Path, int or None]: The label of each image."""
        return {Path(row['img_path']): row.get('gt_label')
                for row in self.dataset.load_data_list()}

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
                   f'{self.folder} has {listed(self.folders)}, the config '
                   f'{listed(self.classes)}; labels follow the folders in the '
                   'order of their names')
        if self.dataset.ann_file:  # others are those that were found
            for path in missing(self.files):
                yield 'image that is not there', str(path)

    def others(self):
        """Yield labels out of range, and images in the folders of classes that
        are not taken."""
        for path, label in self.files.items():
            if isinstance(label, int) and not 0 <= label < len(self.classes):
                yield 'label out of range', f'{path} has {label}'
        for path in images_in(self.folder) if self.folders else ():
            if path not in self.files:
                taken = ', '.join(self.dataset.extensions)
                yield ('image that is left out', f'{path}; taken are {taken} '
                       'in the folder of a class')

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


def reads_annotations(pipeline):
    """bool: Whether transforms, or those inside of them, read annotations."""
    return any('Annotation' in str(step.get('type'))
               for step in dicts_in(pipeline))


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
               f'{data.folder} has {listed(ours)}, {first.folder} '
               f'{listed(theirs)}; labels follow the folders in the order of '
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
