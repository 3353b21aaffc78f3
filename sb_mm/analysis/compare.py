"""Runs of the standard runner side by side."""
import re
from math import ceil
from pathlib import Path
from statistics import mean, stdev
from typing import List, Optional, Sequence, Tuple

from ..utils.picture import network_styles, subplots
from ..utils.table import write_table
from .costs import draw_costs, read_times
from .kept_runs import BY_DISTANCE, read_runs, write_runs
from .statistics import (format_difference, less_is_better,
                         paired_difference, verdict)
from .work_dirs import BACKBONE, PERCENT, UNITS, Run

_IN_FULL = 6  # settings that differ


def compare(work_dirs: Sequence[str],
            out: Optional[str] = None,
            baseline: Optional[str] = None,
            shape: Optional[Tuple[int, int]] = None,
            speed: Optional[str] = None,
            keep: bool = False) -> List[dict]:
    """Put runs into one table, the seeds of a config in one row.

    Only finished runs with the same settings are averaged, and of those that
    ``tools/test.py`` tested into their work dirs the test counts. The
    difference to the baseline is that of the runs with the same seed, with its
    95 % interval by Student's t; 'ahead' and 'behind' say that there is no 0
    in it, 'level' that there is. A run that ``EarlyStoppingHook`` ended has
    finished. Runs that did not, have no metric, or differ from the baseline in
    more than the backbone and the ``in_channels`` that follow from it are
    shown as such. Where runs of one config have several settings, the later
    ones have their folder behind the name. Parameters and multiply-adds that
    cannot be counted are left out, and a line says why.

    Args:
        work_dirs (list[str]): Work dirs of training runs; none are needed
            with ``keep``.
        out (str, optional): Folder to write ``table.md``, ``table.csv``,
            ``runs.csv``, ``curves.csv``, ``curves.png``, with three configs
            or more ``pairs.md`` and ``pairs.csv``, the difference of each to
            each, and, for metrics by distance, ``distance.png`` to. Defaults
            to None.
        baseline (str, optional): Name of the config that the others are
            compared with. Defaults to None, the first.
        shape (tuple[int, int], optional): Size of the image that
            multiply-adds are counted at. Defaults to None, the config's.
        speed (str, optional): ``results.json`` of ``tools/benchmark.py``, for
            a picture of each metric over the time of an image and the
            parameters in ``out``, ``cost_METRIC.png``. Defaults to None.
        keep (bool): Whether the finished runs that ``out`` has in its
            ``runs.csv`` count too, but for those of the same config and seed
            as one of ``work_dirs``; configs stay in the order that they have
            there. Defaults to False.

    Returns:
        list[dict]: The rows, the baseline first.

    Raises:
        FileNotFoundError: If a folder is no work dir of a training run.
        ValueError: If there is no run at all, none of the baseline, none of
            the configs in ``speed``, or ``keep`` without ``out``.
    """
    found: dict = {}
    runs = list(map(Run, map(Path, work_dirs)))
    if keep and not out:
        raise ValueError('--keep needs --out, which has the runs to keep')
    kept = read_runs(out) if keep else []
    there = {(run.name, run.seed) for run in runs}
    order = [run.name for run in (*kept, *runs)]
    runs += [run for run in kept if (run.name, run.seed) not in there]
    if not runs:
        raise ValueError('there is no run to compare')
    for run in runs:
        finished = run.status == 'finished'
        key = (run.name, finished or run.path, run.tested, run.digests)
        found.setdefault(key, []).append(run)
    groups = [sorted(runs, key=lambda run: run.seed or 0)
              for runs in found.values()]
    groups.sort(key=lambda runs: order.index(runs[0].name))
    _tell_apart(groups)
    baseline = baseline or groups[0][0].name
    reference = next((runs for runs in groups if runs[0].name == baseline),
                     None)
    if reference is None:
        raise ValueError(
            f'there is no run of the baseline {baseline}; there are '
            f'{", ".join(sorted({runs[0].name for runs in groups}))}')
    groups = [reference, *(runs for runs in groups if runs is not reference)]
    rows = [_row(runs, reference, shape) for runs in groups]
    times = read_times(speed) if speed else {}
    if speed and not times.keys() & {row['config'] for row in rows}:
        raise ValueError(f'{speed} has none of these configs; it has '
                         f'{", ".join(times) or "none"}')
    if out:
        write_table(rows, out)
        if pairs := _pairs(groups):
            write_table(pairs, out, 'pairs')
        if times:
            _draw_costs(groups, rows, times, Path(out))
        _draw(groups, Path(out) / 'curves.png')
        write_runs(groups, Path(out), shape)
        metrics = {
            runs[0].name: [run.last for run in runs]
            for runs in groups
            if any(BY_DISTANCE.fullmatch(name) for run in runs
                   for name in run.last)
        }
        if metrics:
            from ..beacons.distance_plot import draw_by_distance
            draw_by_distance(metrics, Path(out) / 'distance.png')
    return rows


def _tell_apart(groups):
    """Add the folder to the name of runs whose config has been seen with
    other settings."""
    seen: dict = {}
    for runs in groups:
        name, digests = runs[0].name, runs[0].digests
        if seen.setdefault(name, digests) == digests or runs[0].settings is None:
            continue
        folder = next(
            (part for part in reversed(runs[0].path.resolve().parts)
             if part != name and not re.fullmatch(r'seed_\d+', part)), '')
        for run in runs:
            run.name = f'{name} ({folder})'


def _row(runs, reference, shape):
    run = runs[0]
    complexity = run.count_complexity(shape)
    row = {'config': run.name, 'status': run.status,
           'split': 'test' if run.tested else ''}
    for metric in run.metric_names:
        values = [r.last.get(metric) for r in runs if r.last]
        if not values or None in values:
            continue
        unit = UNITS.get(metric, '')
        row[f'{metric}{unit}'] = _mean(values, _decimals(metric))
        if ', ' in metric:  # parts of another metric
            continue
        row[f'Δ {metric}{unit}'] = ''
        if runs is not reference and all(metric in r.last
                                         for r in reference):
            row[f'Δ {metric}{unit}'] = _difference(runs, reference, metric)
    if complexity:
        parameters, flops, (height, width) = complexity
        row['parameters (M)'] = f'{parameters / 1e6:.3f}'
        row[f'multiply-adds (G, {height}×{width})'] = f'{flops / 1e9:.2f}'
    row[f'{run.unit}s'] = ', '.join(dict.fromkeys(
        str(r.planned) for r in runs))
    row['minutes'] = f'{mean(r.minutes for r in runs):.1f}'
    row['seeds'] = ', '.join(str(r.seed) for r in runs)
    differs = _differences(run, reference[0])
    if len(differs) > _IN_FULL:  # each list by its name alone
        differs = list(dict.fromkeys(
            re.split(r'\.\d+', key)[0] for key in differs))
    row['differs in'] = ', '.join(differs)
    return row


def _by_seed(runs, metric):
    seeds = [run.seed for run in runs]
    if None in seeds or len(set(seeds)) < len(seeds):
        seeds = [run.path for run in runs]  # which pair with none
    return {seed: run.last[metric] for seed, run in zip(seeds, runs)}


def _pairs(groups):
    """The difference of each network to those before it, where there are more
    than the two of the table."""
    reference, networks = groups[0][0], {}
    for runs in groups:
        if (runs[0].status == 'finished' and runs[0].tested == reference.tested
                and not _differences(runs[0], reference)):
            networks.setdefault(runs[0].name, runs)
    rows = []
    for metric in reference.metric_names:
        names = [name for name, runs in networks.items()
                 if all(metric in run.last for run in runs)]
        if ', ' in metric or len(names) < 3:
            continue
        rows += [
            dict({'metric': f'{metric}{UNITS.get(metric, "")}', 'config': name},
                 **{f'to {before}': _difference(networks[name],
                                                networks[before], metric)
                    for before in names[:i]})
            for i, name in enumerate(names) if i
        ]
    return rows


def _difference(ours, theirs, metric):
    difference, half, _ = paired_difference(
        _by_seed(ours, metric), _by_seed(theirs, metric))
    text = format_difference(difference, half, _decimals(metric))
    said = verdict(difference, half, less_is_better(metric))
    return f'{text} {said}'.rstrip()


def _decimals(metric):
    return 1 if metric in PERCENT else 3


def _mean(values, decimals):
    text = f'{mean(values):.{decimals}f}'
    if len(values) > 1:
        text += f' ± {stdev(values):.{decimals}f}'
    return text


def _differences(run, reference):
    """Settings outside the backbone that differ from the reference."""
    if run.digests[1] == reference.digests[1]:
        return []
    if not (run.settings and reference.settings):
        return ['settings that were not kept']
    return [key for key in run.differences(reference)
            if not key.startswith(BACKBONE)]


def _draw_costs(groups, rows, times, out):
    costs = {
        'time of an image, to the first': times,
        'parameters (M)': {
            row['config']: float(row['parameters (M)']) for row in rows
            if 'parameters (M)' in row
        }
    }
    baseline = groups[0][0].name
    for metric in groups[0][0].metric_names:
        values = {}
        for runs in groups:
            if runs[0].status == 'finished' and all(metric in run.last
                                                    for run in runs):
                values.setdefault(runs[0].name, _by_seed(runs, metric))
        if baseline in values:
            draw_costs(values, baseline, costs, metric,
                       out / f'cost_{re.sub("[^a-zA-Z0-9]+", "_", metric)}.png')


def _draw(groups, path):
    names = list(
        dict.fromkeys(name for runs in groups for run in runs
                      for name in run.metric_names))
    titles = ['training loss', *names]
    columns = min(len(titles), 4)
    rows = ceil(len(titles) / columns)
    styles = network_styles(runs[0].name for runs in groups)
    figure, axes = subplots(rows, columns, (5 * columns, 4 * rows))
    for axis in axes.flat[len(titles):]:
        axis.axis('off')
    for axis, name in zip(axes.flat, titles):
        drawn = []
        for runs in groups:
            curves = [
                run.losses if name == 'training loss' else {
                    step: values[name]
                    for step, values in run.metrics.items() if name in values
                } for run in runs
            ]
            curves = [curve for curve in curves if curve]
            steps = sorted(set.intersection(*map(set, curves))) if curves else ()
            if steps:
                drawn.append((runs[0].name, steps, *([
                    function(curve[step] for curve in curves)
                    for step in steps
                ] for function in (mean, min, max))))
        axis.set(title=name + UNITS.get(name, ''), xlabel='iteration')
        axis.grid(alpha=.3)
        there = {step for _, steps, *_ in drawn for step in steps}
        if len(there) == 1:
            _draw_points(axis, drawn, styles, *there)
            continue
        for network, steps, means, least, most in drawn:
            axis.plot(steps, means, label=network,
                      markersize=6 if len(steps) < 30 else 0,
                      **styles[network])
            axis.fill_between(steps, least, most, alpha=.2,
                              color=styles[network]['color'])
    axes[0, 0].legend(fontsize='small')
    figure.savefig(path)


def _draw_points(axis, drawn, styles, step):
    """One value a network is no curve: beside each other, with their range."""
    for place, (network, _, (value, ), (least, ), (most, )) in enumerate(drawn):
        axis.errorbar(place, value, [[value - least], [most - value]],
                      capsize=4, label=network, **styles[network])
    axis.set(xticks=[], xlim=(-1, len(drawn)),
             xlabel=f'after {step} iterations')
    low, high = axis.get_ylim()
    if high - low < 1e-3 * abs(high):  # the same to all digits of the table
        axis.set_ylim(low - .01 * abs(low), high + .01 * abs(high))
