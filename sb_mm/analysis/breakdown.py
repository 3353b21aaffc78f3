"""Where the gain or loss of a network lies: metrics of groups of the test
images, from the predictions that ``run_matrix --test`` keeps."""
import csv
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Sequence

import mmcv
import numpy as np
from mmengine.registry import DATASETS, init_default_scope
from rich.progress import track

from ..utils.picture import marker, subplots
from ..utils.table import write_table
from .statistics import bootstrap, paired_difference, verdict
from .work_dirs import Run


def breakdown(work_dirs: Sequence[str],
              out: Optional[str] = None,
              baseline: Optional[str] = None,
              samples: int = 1000) -> List[dict]:
    """Compare the predictions of runs group by group.

    A detector by the size of objects (COCO's) and by objects per image
    (thirds of the images), in mask AP, or box AP where there are no masks. A
    segmentor by class, in IoU, and by the size of the connected regions of the
    ground truth (thirds of the regions), in the share of their pixels that is
    right. A classifier by class, in the share that is right.

    Args:
        work_dirs (list[str]): Work dirs with predictions, of one test set.
        out (str, optional): Folder to write ``table.md``, ``table.csv`` and
            ``breakdown.png`` to. Defaults to None.
        baseline (str, optional): Name of the config that the others are
            compared with. Defaults to None, the first.
        samples (int): Draws of the test images for the interval of 'all'.
            Defaults to 1000.

    Returns:
        list[dict]: A row for each config and group. Differences are paired by
        seed, with the 95 % interval by Student's t over the seeds; for 'all'
        there is one by bootstrap over the test images too, of the mean over
        the seeds.

    Raises:
        FileNotFoundError: If a work dir has no predictions.
        ValueError: If there is no run of the baseline.
    """
    networks: Dict[str, dict] = {}
    for run in track(list(map(Run, map(Path, work_dirs))), 'Reading predictions'):
        if not (run.tested and run.has_predictions):
            raise FileNotFoundError(
                f'{run.path} has no predictions of its last weights; '
                'tools/run_matrix.py --test writes them')
        scope = run.cfg.get('default_scope')
        networks.setdefault(run.name, {})[run.seed] = _TASKS[scope](run)
    baseline = baseline or next(iter(networks))
    if baseline not in networks:
        raise ValueError(f'there is no run of the baseline {baseline}; there '
                         f'are {", ".join(networks)}')
    found = [
        _row(name, group, runs, networks[baseline], samples)
        for name, runs in networks.items()
        for group in next(iter(runs.values())).groups
    ]
    rows = [row for row, _ in found]
    if out:
        write_table(rows, out)
        if len(networks) > 1:
            _draw(found, baseline, Path(out) / 'breakdown.png')
    return rows


def _row(name, group, runs, reference, samples):
    """The row, and its difference to the reference with half the width of
    its interval."""
    values = {seed: run.value(group) for seed, run in runs.items()}
    any_run = next(iter(runs.values()))
    row = {
        'config': name,
        'group': group,
        'metric': any_run.metric(group),
        'value (%)': f'{100 * mean(values.values()):.1f}',
    }
    if runs is reference:
        return row, None
    theirs = {seed: run.value(group) for seed, run in reference.items()}
    difference, half, _ = paired_difference(values, theirs)
    row['Δ (%)'] = _interval(difference, half)
    row['over seeds'] = verdict(difference, half)
    if group == 'all':
        seeds = sorted(runs.keys() & reference)

        def statistic(images):
            return mean(runs[seed].value(group, images) -
                        reference[seed].value(group, images)
                        for seed in seeds)

        if seeds:
            low, high = bootstrap(range(any_run.images), statistic, samples)
            row['Δ over images (%)'] = (
                f'[{100 * low:+.1f}, {100 * high:+.1f}]')
    return row, (difference, half)


def _interval(difference, half):
    text = f'{100 * difference:+.1f}'
    return text if half is None else (
        f'{text} [{100 * (difference - half):+.1f}, '
        f'{100 * (difference + half):+.1f}]')


class _Classes:
    """Predictions of a classifier, and its groups."""

    def __init__(self, run):
        with open(run.predictions, newline='') as file:
            rows = list(csv.DictReader(file))
        self.truth = np.array([row['truth'] for row in rows])
        self.right = np.array([row['label'] == row['truth'] for row in rows])
        self.images = len(rows)
        names = {row['truth']: Path(row['image']).parent.name for row in rows}
        self.groups = {'all': None, **{names[label]: label
                                       for label in sorted(names, key=int)}}

    def metric(self, group):
        return 'top-1' if group == 'all' else 'recall'

    def value(self, group, images=slice(None)):
        label = self.groups[group]
        right = self.right[images]
        if label is not None:
            right = right[self.truth[images] == label]
        return right.mean().item()


class _Labels:
    """Label maps of a segmentor: a confusion matrix for each image, and the
    connected regions of the ground truth."""

    def __init__(self, run):
        init_default_scope('mmseg')
        dataset = DATASETS.build(run.cfg.test_dataloader.dataset)
        self.classes = dataset.metainfo['classes']
        self.images = len(dataset)
        confusions, regions = [], []
        for i in range(self.images):
            info = dataset.get_data_info(i)
            truth = _read_labels(info['seg_map_path'])
            found = _read_labels(
                run.predictions / (Path(info['img_path']).stem + '.png'))
            if info['reduce_zero_label']:  # and 255, the void, becomes 254
                truth, found = truth - 1, found - 1
            confusions.append(self._confusion(truth, found))
            regions += self._regions(truth, found)
        self.confusion = np.stack(confusions)
        regions = np.array(sorted(regions))
        self.groups = {'all': None, **dict.fromkeys(self.classes)}
        for part in np.array_split(regions, 3):
            self.groups[f'regions of {part[0, 0]:,} to {part[-1, 0]:,} '
                        'px'] = (part[:, 1] / part[:, 0]).mean().item()

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


def _read_labels(path):
    return mmcv.imread(
        path, flag='unchanged', backend='pillow').astype(np.int64)


class _Objects:
    """Detections, by pycocotools."""

    def __init__(self, run):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        evaluators = run.cfg.test_evaluator
        if isinstance(evaluators, dict):
            evaluators = [evaluators]
        files = {kind: run.predictions.with_suffix(f'.{kind}.json')
                 for kind in ('segm', 'bbox')}
        self.kind = next(kind for kind in files if files[kind].is_file())
        with redirect_stdout(StringIO()):
            truth = COCO(next(each['ann_file'] for each in evaluators
                              if 'ann_file' in each))
            self.coco = COCOeval(
                truth, truth.loadRes(str(files[self.kind])), self.kind)
            self.coco.evaluate()
        self.params = self.coco.params
        self.images = len(self.params.imgIds)
        number = [len(truth.getAnnIds(imgIds=i)) for i in self.params.imgIds]
        self.groups = {'all': ('all', None)}
        areas = np.array([each['area'] for each in truth.anns.values()])
        for size, (low, high) in list(
                zip(self.params.areaRngLbl, self.params.areaRng))[1:]:
            if ((low <= areas) & (areas < high)).any():
                self.groups[f'{size} objects'] = size, None
        for part in np.array_split(np.argsort(number, kind='stable'), 3):
            low, high = number[part[0]], number[part[-1]]
            self.groups[f'images with {low} to {high} objects'] = 'all', part

    def metric(self, group):
        return 'mask AP' if self.kind == 'segm' else 'box AP'

    def value(self, group, images=None):
        size, only = self.groups[group]
        if images is None:
            images = range(self.images) if only is None else only
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
            coco.evalImgs[(k * areas + area) * self.images + i]
            for k in range(categories) for i in images
        ]
        with redirect_stdout(StringIO()):
            part.accumulate()
        precision = part.eval['precision']
        return precision[precision > -1].mean().item()


_TASKS = dict(mmdet=_Objects, mmseg=_Labels, mmpretrain=_Classes)


def _draw(found, baseline, path):
    differences = {
        (row['config'], row['group']): difference
        for row, difference in found if difference
    }
    names, groups = (list(dict.fromkeys(each)) for each in zip(*differences))
    figure, ((axis, ), ) = subplots(
        1, 1, (7, 1.2 + .15 * len(groups) * (1 + len(names))))
    for i, name in enumerate(names):
        middle, half = zip(*(differences[name, group] for group in groups))
        shift = (i - (len(names) - 1) / 2) * .7 / len(names)
        axis.errorbar(
            [100 * value for value in middle],
            [y + shift for y in range(len(groups))],
            xerr=[100 * (value or 0) for value in half],
            fmt=marker(i),
            capsize=3,
            label=name)
    axis.axvline(0, color='black', linewidth=.8)
    axis.set_yticks(range(len(groups)), groups)
    axis.invert_yaxis()
    axis.set_xlabel(f'difference to {baseline} (% points); 95 % over seeds')
    axis.grid(alpha=.3)
    axis.legend(fontsize='small')
    figure.savefig(path)
