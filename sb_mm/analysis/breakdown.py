"""Where the gain or loss of a network lies: metrics of groups of the test
images, from the predictions that ``run_matrix --test`` keeps."""
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Sequence

from rich.progress import track

from ..utils.picture import marker, subplots
from ..utils.table import write_table
from .predictions import read_predictions
from .statistics import (bootstrap, format_difference, paired_difference,
                         verdict)
from .work_dirs import Run


def breakdown(work_dirs: Sequence[str],
              out: Optional[str] = None,
              baseline: Optional[str] = None,
              samples: int = 1000) -> List[dict]:
    """Compare the predictions of runs group by group.

    A detector by the size of objects (COCO's) and by objects per image
    (thirds of the images), in mask AP, or box AP where there are no masks. A
    segmentor by class, in IoU, and by the size of the connected regions of the
    ground truth (under 32², under 96² and more pixels), in the share of their
    pixels that is right. A classifier by class, in the share that is right.

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
    runs = list(map(Run, map(Path, work_dirs)))
    for run in track(runs, 'Reading predictions'):
        networks.setdefault(run.name, {})[run.seed] = read_predictions(run)
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
    row['Δ (%)'] = format_difference(
        100 * difference, None if half is None else 100 * half, 1)
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
