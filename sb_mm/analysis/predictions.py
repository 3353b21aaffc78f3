"""The predictions that ``run_matrix --test`` keeps, and metrics of groups of
them."""
import csv
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import mmcv
import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, init_default_scope

from ..apis.checks import evaluators_of, listed, tested_dataset
from ..apis.labelled_data import reads_annotations


def read_predictions(run):
    """Read the predictions of a run.

    Each kind has ``groups``, whose keys are names; ``names``, the files of
    the images; ``metric(group)``, the name of what ``value(group)`` gives,
    between 0 and 1, or NaN where there is nothing to measure.
    ``value('all', images)`` is that of some images, of which one can be there
    several times.

    Args:
        run (Run): A tested run.

    Returns:
        Classes, Labels or Objects: Those of a classifier, a segmentor or a
        detector.

    Raises:
        FileNotFoundError: If it has no predictions.
        ValueError: If there is no breakdown of what the run predicts.
    """
    if not (run.tested and run.has_predictions):
        raise FileNotFoundError(
            f'{run.path} has no predictions of its last weights; '
            'tools/run_matrix.py --test writes them')
    kinds = dict(mmdet=Objects, mmseg=Labels, mmpretrain=Classes)
    init_default_scope(run.cfg.get('default_scope'))
    return kinds[run.cfg.get('default_scope')](run)


def _classes_of(run):
    """Sequence[str]: The classes of the data, if the config knows them."""
    dataset = dict(tested_dataset(run.cfg), lazy_init=True, pipeline=[])
    return DATASETS.build(dataset).metainfo.get('classes') or ()


class Classes:
    """Predictions of a classifier, and its groups."""

    def __init__(self, run):
        with open(run.predictions, newline='') as file:
            rows = list(csv.DictReader(file))
        if not all(row['truth'].isdigit() for row in rows):
            raise ValueError(f'in {run.predictions} an image has no label or '
                             'several; a breakdown is by one for each')
        self.truth = np.array([row['truth'] for row in rows])
        self.right = np.array([row['label'] == row['truth'] for row in rows])
        self.names = [row['image'] for row in rows]
        names = {row['truth']: Path(row['image']).parent.name for row in rows}
        for label, name in enumerate(_classes_of(run)):
            if str(label) in names:
                names[str(label)] = name
        number = Counter(names.values())  # ImageNet has two of one name
        self.groups = {'all': None, **{
            name if number[name] == 1 else f'{name} ({label})'.lstrip(): label
            for label, name in sorted(names.items(),
                                      key=lambda item: int(item[0]))}}

    def metric(self, group):
        return 'top-1' if group == 'all' else 'recall'

    def value(self, group, images=slice(None)):
        label = self.groups[group]
        right = self.right[images]
        if label is not None:
            right = right[self.truth[images] == label]
        return right.mean().item()


class Labels:
    """Label maps of a segmentor: a confusion matrix for each image, and the
    connected regions of the ground truth."""

    def __init__(self, run):
        dataset = DATASETS.build(run.cfg.test_dataloader.dataset)
        self.classes = dataset.metainfo['classes']
        void = evaluators_of(run.cfg, 'test')[0].get('ignore_index', 255)
        load = Compose([step for step in tested_dataset(run.cfg)['pipeline']
                        if reads_annotations(step)])
        self.names, confusions, regions = [], [], []
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            self.names.append(info['img_path'])
            truth = load(info)['gt_seg_map'].astype(np.int64)
            truth[truth == void] = -1
            found = mmcv.imread(
                run.predictions / (Path(info['img_path']).stem + '.png'),
                flag='unchanged', backend='pillow').astype(np.int64)
            found -= info['reduce_zero_label']
            confusions.append(self._confusion(truth, found))
            regions += self._regions(truth, found)
        self.confusion = np.stack(confusions)
        pixels, right = np.array(regions).T
        self.groups = {'all': None, **dict.fromkeys(self.classes)}
        for name, low, high in (('small', 0, 32), ('medium', 32, 96),
                                ('large', 96, np.inf)):
            these = (low**2 <= pixels) & (pixels < high**2)
            if these.any():
                self.groups[f'{name} regions'] = (
                    right[these].sum() / pixels[these].sum()).item()

    def _confusion(self, truth, found):
        number = len(self.classes)
        known = (truth >= 0) & (truth < number)
        return np.bincount(
            truth[known] * number + found[known].clip(0, number - 1),
            minlength=number**2).reshape(number, number)

    def _regions(self, truth, found):
        """Pixels, and those that are right, of every region."""
        from scipy.ndimage import label
        for index in range(len(self.classes)):
            parts, number = label(truth == index)
            if number:
                pixels = np.bincount(parts.ravel())[1:]
                right = np.bincount(parts[found == index],
                                    minlength=number + 1)[1:]
                yield from zip(pixels.tolist(), right.tolist())

    def metric(self, group):
        return ('mIoU' if group == 'all' else
                'IoU' if group in self.classes else 'pixels right')

    def value(self, group, images=slice(None)):
        if group not in ('all', *self.classes):
            return self.groups[group]
        total = self.confusion[images].sum(0)
        both = total.diagonal()
        union = total.sum(0) + total.sum(1) - both
        with np.errstate(invalid='ignore'):
            iou = both / union
        return (np.nanmean(iou) if group == 'all' else
                iou[self.classes.index(group)]).item()


class Objects:
    """Detections, by pycocotools."""

    def __init__(self, run):
        from mmdet.evaluation import CocoMetric, LVISMetric
        from mmdet.registry import METRICS
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        evaluators = [
            (METRICS.get(each['type']), each.get('ann_file'))
            for each in evaluators_of(run.cfg, 'test')
            if 'out_file_path' not in each
        ]
        ann_file = next((
            path or run.predictions.with_suffix('.gt.json')
            for metric, path in evaluators
            if issubclass(metric, CocoMetric) and metric is not LVISMetric
        ), None)
        if ann_file is None:
            raise ValueError(
                f'{run.path} was tested by '
                f'{listed(metric.__name__ for metric, _ in evaluators)}; a '
                'breakdown of detections is by CocoMetric')
        files = {kind: run.predictions.with_suffix(f'.{kind}.json')
                 for kind in ('segm', 'bbox')}
        self.kind = next(kind for kind in files if files[kind].is_file())
        with redirect_stdout(StringIO()):
            truth = COCO(ann_file)
            self.coco = COCOeval(
                truth, truth.loadRes(str(files[self.kind])), self.kind)
            # those of the config, which may be some of those of the file
            categories = truth.getCatIds(catNms=_classes_of(run))
            self.coco.params.catIds = categories
            self.coco.evaluate()
        self.params = self.coco.params
        self.names = [
            each['file_name'] for each in truth.loadImgs(self.params.imgIds)
        ]
        number = [len(truth.getAnnIds(imgIds=i, catIds=categories))
                  for i in self.params.imgIds]
        self.groups = {'all': ('all', None)}
        areas = np.array([each['area'] for each in truth.anns.values()
                          if each['category_id'] in categories])
        for size, (low, high) in list(
                zip(self.params.areaRngLbl, self.params.areaRng))[1:]:
            if ((low <= areas) & (areas < high)).any():
                self.groups[f'{size} objects'] = size, None
        for name, part in thirds(number).items():
            self.groups[name] = 'all', part

    def metric(self, group):
        return 'mask AP' if self.kind == 'segm' else 'box AP'

    def value(self, group, images=None):
        size, only = self.groups[group]
        if images is None:
            images = range(len(self.names)) if only is None else only
        return self._average_precision(size, list(images))

    def _average_precision(self, size, images):
        """AP of images, of which one can be there several times."""
        coco, params = self.coco, self.params
        area = params.areaRngLbl.index(size)
        categories, areas = len(params.catIds), len(params.areaRng)
        part = type(coco)(iouType=self.kind)
        part.params.catIds = params.catIds
        part.params.imgIds = list(range(len(images)))
        part.params.areaRng = [params.areaRng[area]]
        part.params.areaRngLbl = [size]
        part.params.maxDets = params.maxDets[-1:]
        part._paramsEval = part.params
        part.evalImgs = [
            coco.evalImgs[(k * areas + area) * len(self.names) + i]
            for k in range(categories) for i in images
        ]
        with redirect_stdout(StringIO()):
            part.accumulate()
        precision = part.eval['precision']
        known = precision[precision > -1]
        return known.mean().item() if known.size else np.nan


def thirds(number):
    """Images in three parts by how many objects they have.

    Args:
        number (list[int]): Objects of each image.

    Returns:
        dict[str, list[int]]: The images of each part by its name; parts with
        the same bounds are one.
    """
    parts: dict = {}
    for part in np.array_split(np.argsort(number, kind='stable'), 3):
        if len(part):  # of one image, or two
            name = f'images with {number[part[0]]} to {number[part[-1]]} objects'
            parts.setdefault(name, []).extend(part.tolist())
    return parts
