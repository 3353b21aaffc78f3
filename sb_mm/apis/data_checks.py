"""What is checked of the data while they are read."""
import re
from typing import Any

from mmcv import transforms
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.registry import TRANSFORMS

from .checks import listed


class DataError(Exception):
    """Data that cannot be read or do not fit the model; the message says
    which."""


class NamesTheFile:
    """Mixin over a transform that reads a file: an error names the file and
    the annotation that it belongs to."""

    #: Where the transform finds the name of the file.
    path_key = 'img_path'

    def transform(self, results):
        try:
            return super().transform(results)
        except Exception as error:
            annotation = ', '.join(
                f'{key}={results[key]}'
                for key in ('img_path', 'img_id', 'seg_map_path', 'gt_label')
                if key in results and key != self.path_key)
            objects = len(results.get('instances', ()))
            if objects:
                annotation += f', {objects} instances'
            reason = str(error).splitlines() or [type(error).__name__]
            raise DataError(
                f'{results.get(self.path_key)} cannot be read '
                f'({reason[0].strip()})' +
                (f'; it belongs to {annotation.strip(", ")}'
                 if annotation else '')) from error


class LoadImageFromFile(NamesTheFile, transforms.LoadImageFromFile):
    """That of mmcv, whose errors name the image."""


def name_unreadable_files(scope):
    """Let configs whose transforms read images and maps of labels have those
    that name what they cannot read.

    Args:
        scope (str): Scope of the config.
    """
    registries = [TRANSFORMS]
    if scope == 'mmpretrain':  # has it in a registry of its own
        import mmpretrain.datasets
        registries.append(mmpretrain.registry.TRANSFORMS)
    for registry in registries:
        registry.register_module(module=LoadImageFromFile, force=True)
    if scope == 'mmseg':
        from . import mmseg_loading  # noqa: F401


class CheckDataHook(Hook):
    """Refuse data that do not fit the model before they do harm: classes that
    the annotations do not have, heads for another number of classes, labels
    beyond it."""

    def before_run(self, runner) -> None:
        """Check the datasets that were built.

        Args:
            runner (Runner): The runner of the process.

        Raises:
            DataError: If one does not fit.
        """
        heads = _heads(runner.model)
        self.num_classes = min(
            (head.num_classes for head in heads.values()), default=0)
        self.ignored = {
            getattr(head, 'ignore_index', None)
            for head in heads.values()
        } - {None}
        self.seen = set()
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            loader = getattr(loop, 'dataloader', None)
            dataset: Any = getattr(loader, 'dataset', None)
            if not hasattr(dataset, 'metainfo'):  # not built in this run
                continue
            for part in _innermost(dataset):
                _check_categories(part)
            classes = dataset.metainfo.get('classes')
            for name, head in heads.items():
                if classes and head.num_classes != len(classes):
                    raise DataError(
                        f'{name}.num_classes is {head.num_classes}, but '
                        f'{type(dataset).__name__} has {len(classes)} classes')

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Check the labels of a batch, of each image when it is first seen.

        Args:
            runner (Runner): The runner of the process.
            batch_idx (int): Index of the batch.
            data_batch (dict): Data of the batch.

        Raises:
            DataError: If a label is beyond the number of classes.
        """
        samples = data_batch.get('data_samples') if isinstance(
            data_batch, dict) else None
        if not self.num_classes or not isinstance(samples, (list, tuple)):
            return
        for sample in samples:
            path = sample.get('img_path')
            if path is None or path not in self.seen:
                self.seen.add(path)
                self._check_labels(sample)

    def _check_labels(self, sample):
        if 'gt_instances' in sample:
            labels = sample.gt_instances.get('labels')
        elif 'gt_sem_seg' in sample:
            labels = sample.gt_sem_seg.data
        else:
            labels = sample.get('gt_label')
        if labels is None or not labels.numel() or labels.is_floating_point():
            return
        wrong = (labels < 0) | (labels >= self.num_classes)
        for index in self.ignored:
            wrong &= labels != index
        if wrong.any():
            wrong = labels[wrong].unique().tolist()
            path = sample.get('seg_map_path') or sample.get('img_path')
            raise DataError(
                f'{path} has the label {", ".join(map(str, wrong[:5]))}, but '
                f'the model has {self.num_classes} classes: 0 to '
                f'{self.num_classes - 1}' +
                (f', {", ".join(map(str, sorted(self.ignored)))} is ignored'
                 if self.ignored else ''))


def _heads(model):
    """The modules that tell all classes apart, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if re.search(r'(^|\.)(bbox_head|decode_head|head)(\.\d+)?$', name)
        and isinstance(getattr(module, 'num_classes', None), int)
    }


def _innermost(dataset):
    if hasattr(dataset, 'dataset'):
        yield from _innermost(dataset.dataset)
    elif hasattr(dataset, 'datasets'):
        for child in dataset.datasets:
            yield from _innermost(child)
    else:
        yield dataset


def _check_categories(dataset):
    classes = dataset.metainfo.get('classes')
    found = getattr(dataset, 'cat_ids', None)
    if classes and found is not None and len(found) < len(classes):
        raise DataError(_missing_categories(dataset, classes))


def _missing_categories(dataset, classes):
    there = [cat['name'] for cat in load(dataset.ann_file)['categories']]
    missing = [name for name in classes if name not in there]
    return (f'{dataset.ann_file} has no category named '
            f'{listed(missing)}; it has {listed(there) or "none"}. Set the '
            'classes with metainfo=dict(classes=(…)) in the datasets, and '
            'num_classes in the heads')


def explain_empty_dataset(dataset):
    """Say why a dataset that was being built has nothing in it.

    Args:
        dataset (BaseDataset): Dataset.

    Returns:
        str: The reason, or nothing if it is not empty.
    """
    if dataset.data_list:
        return ''
    classes = dataset.metainfo.get('classes') or ()
    found = getattr(dataset, 'cat_ids', classes)
    if len(found) < len(classes):
        return _missing_categories(dataset, classes)
    return (f'no images: ann_file={dataset.ann_file!r}, '
            f'data_prefix={dict(dataset.data_prefix)}, ' +
            (f'img_suffix={dataset.img_suffix!r}, '
             if hasattr(dataset, 'img_suffix') else '') +
            f'filter_cfg={dataset.filter_cfg}')
