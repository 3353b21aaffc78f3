"""Metrics of Beacons by the distance from the beacon, as a picture."""
import re
from statistics import mean, stdev

from ..utils.picture import network_styles, subplots

#: Metrics that are drawn where there are any, and their titles.
_TITLES = {
    'colour_acc': 'colour right (%)',
    'shape_acc': 'shape right (%)',
    'coco/bbox_mAP': 'box AP',
    'coco/bbox_mAP_50': 'box AP50'
}


def draw_by_distance(networks, path):
    """Draw mean and standard deviation over the seeds for every range.

    Args:
        networks (dict[str, list[dict]]): For the name of each network the
            metrics of its runs.
        path (Path): File of the picture; none is written without metrics such
            as ``colour_acc/40-60``.
    """
    titles = {
        metric: title
        for metric, title in _TITLES.items()
        if any(_by_distance(runs, metric) for runs in networks.values())
    }
    if not titles:
        return
    styles = network_styles(networks)
    figure, axes = subplots(1, len(titles), (6 * len(titles), 4))
    for axis, (metric, title) in zip(axes[0], titles.items()):
        for name, runs in networks.items():
            values = _by_distance(runs, metric)
            centres = sorted(values)
            axis.errorbar(
                centres, [mean(values[x]) for x in centres],
                [stdev(values[x]) if len(values[x]) > 1 else 0
                 for x in centres],
                label=name,
                capsize=2,
                **styles[name])
        chance = _by_distance(
            next(iter(networks.values())), metric.replace('acc', 'chance'))
        if chance and 'acc' in metric:
            centres = sorted(chance)
            axis.plot(
                centres, [mean(chance[x]) for x in centres],
                color='black',
                linestyle='dotted',
                label='chance')
        axis.set(title=title, xlabel='distance from the beacon (px)')
        axis.grid(alpha=.3)
    axes[0, 0].legend(fontsize='small')
    figure.savefig(path)


def _by_distance(runs, metric):
    """dict[float, list[float]]: Values of all runs by the middle of their
    range."""
    values = {}
    for key in sorted(set().union(*runs)):
        found = re.fullmatch(rf'{metric}/(\d+)-(\d+)', key)
        if found:
            centre = (int(found[1]) + int(found[2])) / 2
            values[centre] = [run[key] for run in runs if key in run]
    return values
