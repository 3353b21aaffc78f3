"""Where the gain or loss of a network lies: metrics of groups of the test
images, from the predictions that ``run_matrix --test`` keeps."""
from math import isnan
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Sequence

from rich.progress import track

from ..apis.checks import check_at_least
from ..utils.picture import network_styles, subplots
from ..utils.table import read_csv, write_csv, write_table
from .predictions import read_predictions
from .statistics import (bootstrap, format_difference, paired_difference,
                         verdict)
from .work_dirs import Run


def breakdown(work_dirs: Sequence[str],
              out: Optional[str] = None,
              baseline: Optional[str] = None,
              samples: int = 1000,
              keep: bool = False,
              images: Sequence[str] = ()) -> List[dict]:
    """Compare the predictions of runs group by group.

    A detector by the size of objects (COCO's) and by objects per image
    (thirds of the images), in mask AP, or box AP where there are no masks. A
    segmentor by class, in IoU, and by the size of the connected regions of the
    ground truth (under 32², under 96² and more pixels), in the share of their
    pixels that is right. A classifier by class, in the share that is right. A
    group that has nothing to measure, such as images without objects, is left
    out.

    Args:
        work_dirs (list[str]): Work dirs with predictions, of one test set;
            none are needed with ``keep``.
        out (str, optional): Folder to write ``table.md``, ``table.csv``,
            ``values.csv`` with those of each run, and ``breakdown.png`` to.
            Defaults to None.
        baseline (str, optional): Name of the config that the others are
            compared with. Defaults to None, the first.
        samples (int): Draws of the test images for the interval of 'all'.
            Defaults to 1000.
        keep (bool): Whether the runs that ``out`` has in its ``values.csv``
            count too, but for those of the same config and seed as one of
            ``work_dirs``; configs stay in the order that they have there.
            Defaults to False.
        images (Sequence[str]): Patterns of file names, such as 'night_*.png'
            or 'ship/*'; the images of each are one more group. Defaults to ().

    Returns:
        list[dict]: A row for each config and group, the baseline first.
        Differences are paired by seed, with the 95 % interval by Student's t
        over the seeds; for 'all' there is one by bootstrap over the test
        images too, of the first seed that has predictions of both networks.

    Raises:
        FileNotFoundError: If a work dir has no predictions.
        InputError: If ``samples`` is less than 1.
        ValueError: If there is no run at all, none of the baseline, no image
            fits a pattern, an image has several labels, a detector was tested
            by another metric than COCO's, a run on other images than the
            baseline's of its seed, or ``keep`` without ``out``.
    """
    check_at_least(1, samples=samples)
    if keep and not out:
        raise ValueError('--keep needs --out, which has the runs to keep')
    runs = list(map(Run, map(Path, work_dirs)))
    found = {(run.name, run.seed): read_predictions(run)
             for run in track(runs, 'Reading predictions')}
    kept = read_csv(Path(out) / 'values.csv') if out and keep else []
    order = [*(row['config'] for row in kept), *(run.name for run in runs)]
    if not order:
        raise ValueError('there is no run to compare')
    baseline = baseline or order[0]
    for (name, seed), run in found.items():
        if _files(run) != _files(found.get((baseline, seed), run)):
            raise ValueError(
                f'{name} and {baseline} were tested on other images with seed '
                f'{seed}: a breakdown is of one test set')
    values = []
    for (name, seed), run in found.items():
        parts = dict.fromkeys(run.groups) | {
            f'images {pattern}': _matching(run.names, pattern)
            for pattern in images
        }
        for group, part in parts.items():
            value = run.value('all', part) if part else run.value(group)
            if isnan(value):
                continue
            values.append(dict(
                config=name, seed=str(seed), group=group,
                metric=run.metric('all' if part else group), value=value,
                over_images=_over_images(run, found.get((baseline, seed)),
                                         samples) if group == 'all' else None))
    there = {(row['config'], row['seed']) for row in values}
    values += [row for row in kept
               if (row['config'], row['seed']) not in there]
    values.sort(key=lambda row: (order.index(row['config']), int(row['seed'])))
    networks: Dict[str, dict] = {}
    for row in values:
        networks.setdefault(row['config'], {}).setdefault(
            row['group'], {})[row['seed']] = row
    if baseline not in networks:
        raise ValueError(f'there is no run of the baseline {baseline}, or its '
                         'images have nothing to measure; there are '
                         f'{", ".join(networks) or "none"}')
    reference = networks.pop(baseline)
    pairs = [_row(rows, reference.get(group))
             for groups in (reference, *networks.values())
             for group, rows in groups.items()]
    rows = [row for row, _ in pairs]
    if out:
        write_table(rows, out)
        write_csv(values, Path(out) / 'values.csv')
        if networks:
            _draw(pairs, baseline, Path(out) / 'breakdown.png')
    return rows


def _over_images(run, reference, samples):
    """str or None: Interval of the difference by bootstrap over the test
    images, in percent."""
    if reference in (run, None):
        return None

    def statistic(images):
        return run.value('all', images) - reference.value('all', images)

    low, high = bootstrap(range(len(run.names)), statistic, samples)
    return f'[{100 * low:+.1f}, {100 * high:+.1f}]'


def _files(run):
    return [Path(name).name for name in run.names]


def _matching(names, pattern):
    found = [i for i, name in enumerate(names) if Path(name).match(pattern)]
    if not found:
        raise ValueError(f'no image fits {pattern}; the first is {names[0]}')
    return found


def _row(runs, reference):
    """The row, and its difference to the reference with half the width of
    its interval."""
    first = next(iter(runs.values()))
    ours, theirs = ({seed: float(row['value']) for seed, row in each.items()}
                    for each in (runs, reference or {}))
    row = {
        'config': first['config'],
        'group': first['group'],
        'metric': first['metric'],
        'value (%)': f'{100 * mean(ours.values()):.1f}',
    }
    if runs is reference or not theirs:
        return row, None
    difference, half, _ = paired_difference(ours, theirs)
    row['Δ (%)'] = format_difference(
        100 * difference, None if half is None else 100 * half, 1)
    row['over seeds'] = verdict(difference, half)
    row['Δ over images (%)'] = next(
        (f'{each["over_images"]} (seed {seed})'
         for seed, each in runs.items() if each['over_images']), None)
    return row, (difference, half)


def _draw(found, baseline, path):
    differences = {
        (row['config'], row['group']): difference
        for row, difference in found if difference
    }
    names, groups = (list(dict.fromkeys(each)) for each in zip(*differences))
    styles = network_styles([baseline, *names])
    height = .2 * len(names) + .15 * len(groups) * (1 + len(names))
    figure, ((axis, ), ) = subplots(1, 1, (7, 1.2 + height))
    for i, name in enumerate(names):
        places, middle, half = zip(*(  # not all have every group
            (place, *differences[name, group])
            for place, group in enumerate(groups)
            if (name, group) in differences))
        shift = (i - (len(names) - 1) / 2) * .7 / len(names)
        axis.errorbar(
            [100 * value for value in middle],
            [place + shift for place in places],
            xerr=[100 * (value or 0) for value in half],
            linestyle='',
            capsize=3,
            label=name,
            **styles[name])
    axis.axvline(0, color='black', linewidth=.8)
    axis.set_yticks(range(len(groups)), groups)
    axis.set_ylim(len(groups) - .5, -.5)
    axis.set_xlabel(f'difference to {baseline}\n(% points); 95 % over seeds')
    axis.grid(alpha=.3)
    figure.legend(loc='outside upper left', fontsize='small')
    figure.savefig(path)
