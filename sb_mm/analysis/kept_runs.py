"""Runs of which the tables of an earlier comparison are all that is left."""
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from ..utils.table import read_csv, write_csv

#: Metrics of a range of distances, such as ``colour_acc/40-60``.
BY_DISTANCE = re.compile(r'.+/\d+-\d+')


@dataclass
class KeptRun:
    """A finished run with what a comparison asks of a ``Run``.

    Args:
        name (str): Of its config.
        seed (int): Its seed.
        digests (tuple[str, str]): ``Run.digests``.
        tested (bool): Whether its metrics are those of the test.
        unit (str): 'epoch' or 'iteration'.
        planned (int): Length of the schedule in that unit.
        minutes (float): Of the training.
        complexity (tuple or None): ``Run.count_complexity``.
        last (dict): ``Run.last``.
    """
    name: str
    seed: int
    digests: tuple
    tested: bool
    unit: str
    planned: int
    minutes: float
    complexity: Optional[tuple]
    last: dict
    losses: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    status = 'finished'
    settings = None

    @property
    def metric_names(self):
        """list[str]: Those of ``last``, but for those by distance."""
        return [name for name in self.last if not BY_DISTANCE.fullmatch(name)]

    def count_complexity(self, shape=None):
        """tuple or None: What was counted, at the size of then."""
        return self.complexity


def write_runs(groups, folder, shape=None):
    """Write a line for each finished run to ``runs.csv``, and their losses and
    metrics to ``curves.csv``.

    Args:
        groups (list[list[Run or KeptRun]]): Runs with the same settings; of
            two groups of one name the first is written.
        folder (Path): Where to.
        shape (tuple[int, int], optional): Size of the image for
            ``count_complexity``. Defaults to None.
    """
    runs, curves, names = [], [], set()
    for group in groups:
        if group[0].status != 'finished' or group[0].name in names:
            continue
        names.add(group[0].name)
        parameters, flops, (height, width) = (
            group[0].count_complexity(shape) or (None, None, (None, None)))
        for run in group:
            runs.append(dict(
                config=run.name, seed=run.seed, backbone=run.digests[0],
                settings=run.digests[1], tested=int(run.tested),
                unit=run.unit, planned=run.planned,
                minutes=run.minutes, parameters=parameters,
                flops=flops, height=height, width=width,
                **{name: run.last[name] for name in run.metric_names},
                **{name: value for name, value in run.last.items()
                   if BY_DISTANCE.fullmatch(name)}))
            curves += [{
                'config': run.name,
                'seed': run.seed,
                'iteration': step,
                'training loss': f'{run.losses[step]:.4g}'
                if step in run.losses else None,
                **{name: run.metrics.get(step, {}).get(name)
                   for name in run.metric_names}
            } for step in sorted(run.losses.keys() | run.metrics)]
    write_csv(runs, folder / 'runs.csv')
    write_csv(curves, folder / 'curves.csv')


def read_runs(folder):
    """Read the runs that :func:`write_runs` wrote.

    Args:
        folder (str or Path): Where to.

    Returns:
        list[KeptRun]: The runs; none where there are no such files.
    """
    runs = {}
    for line in read_csv(Path(folder, 'runs.csv')):
        config, seed, *digests, tested, unit, planned, minutes = (
            line.pop(key) for key in (
                'config', 'seed', 'backbone', 'settings', 'tested', 'unit',
                'planned', 'minutes'))
        counted = [int(value) for key in (
            'parameters', 'flops', 'height', 'width')
                   if (value := line.pop(key, None))]
        runs[config, seed] = KeptRun(
            config, int(seed), tuple(digests), tested == '1', unit,
            int(planned), float(minutes),
            (*counted[:2], tuple(counted[2:])) if counted else None,
            {name: float(value) for name, value in line.items() if value})
    for line in read_csv(Path(folder, 'curves.csv')):
        run = runs[line.pop('config'), line.pop('seed')]
        step = int(line.pop('iteration'))
        if loss := line.pop('training loss'):
            run.losses[step] = float(loss)
        if values := {name: float(value) for name, value in line.items()
                      if value}:
            run.metrics[step] = values
    return list(runs.values())
