"""Accuracy for its cost, as a picture."""
import json
from pathlib import Path
from statistics import mean

from ..utils.picture import network_styles, subplots
from .statistics import less_is_better, paired_difference
from .work_dirs import UNITS


def read_times(path):
    """Time of an image, to the first network, of what ``tools/benchmark.py
    --out`` measured.

    Args:
        path (str or Path): Its ``results.json``.

    Returns:
        dict[str, float]: Ratio of the time for the name of each config.

    Raises:
        ValueError: If the file has a config twice, at several sizes.
    """
    rows = json.loads(Path(path).read_text())['rows']
    names = [row['config'] for row in rows]
    if len(set(names)) < len(names):
        raise ValueError(f'{path} has several sizes of one config: measure at '
                         'one')
    return {
        row['config']: 1 / row['ratio to the first']
        for row in rows if row.get('ratio to the first')
    }


def pareto_front(points, less=False):
    """The points that no other has beaten at the same or a lower cost.

    Args:
        points (list[tuple[float, float]]): Cost and value.
        less (bool): Whether a lower value is the better one. Defaults to
            False.

    Returns:
        list[tuple[float, float]]: Those, by cost.
    """
    front = []
    for cost, value in sorted(points, key=lambda p: (p[0], p[1]
                                                     if less else -p[1])):
        if not front or (value < front[-1][1] if less else
                         value > front[-1][1]):
            front.append((cost, value))
    return front


def paired_values(values, baseline):
    """Where networks stand whose seeds are not the same: the mean of the
    baseline plus the difference paired by seed.

    Args:
        values (dict[str, dict[int, float]]): Value of each seed by network.
        baseline (str): Network that the others are compared with.

    Returns:
        dict[str, tuple[float, float or None]]: Value, and half the width of
        the 95 % interval of the difference, if there is one.
    """
    theirs = values[baseline]
    middle = mean(theirs.values())
    found = {}
    for name, ours in values.items():
        difference, half, _ = paired_difference(ours, theirs)
        found[name] = middle + difference, half if name != baseline else None
    return found


def draw_costs(values, baseline, costs, metric, path):
    """Draw :func:`paired_values` over each cost, with the Pareto front.

    Args:
        values (dict[str, dict[int, float]]): Value of each seed by network.
        baseline (str): Network that the others are compared with.
        costs (dict[str, dict[str, float]]): For the label of each cost that
            of each network.
        metric (str): Name of the metric.
        path (Path): File of the picture.
    """
    styles = network_styles(values)
    figure, (axes, ) = subplots(1, len(costs), (5 * len(costs), 4.6))
    for axis, (label, cost) in zip(axes, costs.items()):
        points = []
        for name, (value, half) in paired_values(values, baseline).items():
            if name not in cost:
                continue
            points.append((cost[name], value))
            axis.errorbar(
                *points[-1], half, linestyle='', capsize=3, label=name,
                **styles[name])
        axis.plot(*zip(*pareto_front(points, less_is_better(metric))),
                  color='black', linewidth=.8, linestyle='dashed',
                  drawstyle='steps-post', label='Pareto front')
        axis.set(
            xlabel=label,
            ylabel=f'{metric}{UNITS.get(metric, "")}, difference by seed, 95 %')
        axis.grid(alpha=.3)
    shown = {  # not all costs are known of every network
        label: handle for axis in axes
        for handle, label in zip(*axis.get_legend_handles_labels())
    }
    figure.legend(shown.values(), shown.keys(), loc='outside upper center',
                  ncols=3, fontsize='small')
    figure.savefig(path)
