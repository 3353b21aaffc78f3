"""Does context help on this data?"""
import re
import shutil
import time
from math import ceil
from pathlib import Path
from typing import List, Optional, Sequence

from mmengine.config import Config

from ..apis.checks import InputError, backbone_cfg, read_config
from ..apis.type_names import imports_of
from .matrix import run_matrix
from .statistics import (less_is_better, paired_difference, seeds_needed,
                         verdict)
from .work_dirs import Run

_PILOT = 10  # iterations
#: Backbones that have a twin with SB.
_PLAIN = ('ResNet', 'ResNetV1c', 'ResNetV1d', 'ResNeXt', 'ResNet_CIFAR')


def context_gain(config: str,
                 seeds: Sequence[int] = (0, 1, 2),
                 budget: str = '30min',
                 work_dir: Optional[str] = None,
                 jobs: int = 1,
                 cfg_options: Sequence[str] = ()) -> List[dict]:
    """Train a network without and with SB on the same short schedule, from the
    same weights, and say whether the difference is more than chance.

    A short run with SB, beside others if ``jobs`` go side by side, tells what
    an iteration and an evaluation cost; all runs get as many iterations as
    fit into the budget. The learning rate rises over a twentieth of them and
    falls to zero along a cosine. What is there already is not run again: a
    second call keeps the number of iterations, whatever its budget.

    Args:
        config (str): Config of the plain network or of the one with SB.
        seeds (Sequence[int]): Seeds of the pairs. Defaults to (0, 1, 2).
        budget (str): Time for all runs, such as '30min', '2h' or '90s'.
            Defaults to '30min'.
        work_dir (str, optional): Folder for the runs. Defaults to None,
            ``work_dirs/context_gain/CONFIG``.
        jobs (int): Runs at a time. Defaults to 1.
        cfg_options (list[str]): ``KEY=VALUE`` for every run. Defaults to ().

    Returns:
        list[dict]: The rows of :func:`compare`, and one that answers.

    Raises:
        InputError: If the budget cannot be read or is too small, the model
            has no backbone, it has no twin with SB, or the config has no
            validation.
    """
    seconds, seeds = _seconds(budget), list(dict.fromkeys(seeds))
    work_dir = Path(work_dir or Path('work_dirs/context_gain',
                                     Path(config).stem))
    there = work_dir / 'iterations'
    if there.is_file():
        iterations = int(there.read_text())
        print(f'{iterations} iterations, as {there} says; another budget '
              'takes another --work-dir')
    else:
        pilot, start = work_dir / 'pilot', time.monotonic()
        shutil.rmtree(pilot, ignore_errors=True)  # of another budget
        rows = run_matrix(_write_twins(config, pilot, _PILOT)[-jobs:],
                          seeds[:max(jobs // 2, 1)], pilot, jobs,
                          cfg_options=cfg_options)
        if any(row['status'] != 'finished' for row in rows):
            return rows
        run = Run(pilot / 'sb' / f'seed_{seeds[0]}')
        each = sorted(run.seconds.values())[len(run.seconds) // 2]
        overhead = max(time.monotonic() - start - _PILOT * each, 0)
        iterations = iterations_within(seconds, 2 * len(seeds), jobs,
                                       overhead, each)
        if iterations < 2 * _PILOT:
            raise InputError(
                f'--budget {budget} is too little for {2 * len(seeds)} runs: '
                f'one takes {overhead:.0f} s and {each:.2f} s for each '
                'iteration; take more time, fewer seeds or smaller images')
        there.write_text(str(iterations))
    rows = run_matrix(_write_twins(config, work_dir, iterations), seeds,
                      work_dir, jobs, cfg_options=cfg_options)
    if any(row['status'] != 'finished' for row in rows):
        return rows
    runs = {
        name: [Run(work_dir / name / f'seed_{seed}') for seed in seeds]
        for name in ('plain', 'sb')
    }
    metric = runs['sb'][0].metric_names[0]
    return rows + [dict(
        config='does context help?', status='ok',
        answer=_answer(runs, metric, iterations))]


def iterations_within(seconds, runs, jobs, overhead, each):
    """Iterations of each run that fit into a time.

    Args:
        seconds (float): The time.
        runs (int): Number of runs.
        jobs (int): Runs at a time. One begins when another ends, and all take
            as long.
        overhead (float): Seconds of a run that are not iterations.
        each (float): Seconds of an iteration.

    Returns:
        int: The number, less than 1 if there is no time for any.
    """
    return int((seconds / ceil(runs / jobs) - overhead) / each)


def _answer(runs, metric, iterations):
    values = {
        name: {run.seed: run.last[metric]
               for run in group}
        for name, group in runs.items()
    }
    difference, half, number = paired_difference(values['sb'],
                                                 values['plain'])
    if half is None:
        return (f'cannot tell: {metric} {difference:+.4g} with one seed; give '
                'at least two')
    text = (f'{metric} {difference:+.4g}, 95 % interval '
            f'[{difference - half:+.4g}, {difference + half:+.4g}], '
            f'{number} seeds, {iterations} iterations')
    answer = verdict(difference, half, less_is_better(metric))
    if answer != 'level':
        return ('yes' if answer == 'ahead' else 'no, it is worse') + f': {text}'
    needed = seeds_needed(difference, half, number)
    return f'cannot tell: {text}; ' + (
        f'about {needed} seeds would tell a difference of this size' if needed
        else 'the difference is too small for any number of seeds that can be '
        'run; try more iterations')


def _write_twins(config, folder, iterations):
    """Two configs that differ in the stages with SB alone."""
    cfg = read_config(config)
    if not cfg.get('val_dataloader'):
        raise InputError(f'{config} has no val_dataloader, whose metric is '
                         'what is compared')
    backbone = backbone_cfg(cfg)
    if 'backbone' not in cfg.model:
        raise InputError(f'the backbone of {config} is model.detector.backbone;'
                         ' twins are made of a model.backbone alone')
    scope, _, name = backbone.type.rpartition('.')
    plain = name.removeprefix('SB')
    if plain not in _PLAIN:
        raise InputError(f'model.backbone of {config} is {name}, which has no '
                         f'twin with SB; {", ".join(_PLAIN)} have')
    name = f'{scope}.SB{plain}' if scope else f'SB{plain}'
    stages = backbone.get('num_stages') or (
        3 if 'CIFAR' in name and backbone.depth % 9 == 2 else 4)
    off = dict(type=name, sb_stages=[False] * stages)
    warmup = max(iterations // 20, 1)
    shared = dict(
        custom_imports=dict(
            imports=[*dict.fromkeys(['sb_mm', *imports_of(cfg)])],
            allow_failed_imports=False),
        custom_hooks=[*cfg.get('custom_hooks', []), dict(
            type='SameStartHook', twin=dict(backbone=off))],
        train_cfg=dict(
            _delete_=True, type='IterBasedTrainLoop', max_iters=iterations,
            val_interval=iterations),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0,
                 end=warmup),
            dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup,
                 end=iterations, T_max=iterations - warmup, eta_min=0)
        ],
        log_processor=dict(by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False,
                            interval=iterations),
            logger=dict(type='LoggerHook',
                        interval=min(max(iterations // 20, 1), 50))))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'base.py').write_text(cfg.pretty_text)
    paths = []
    for file, backbone in dict(plain=off, sb=dict(type=name)).items():
        path = folder / f'{file}.py'
        path.write_text(Config(dict(
            _base_='base.py', model=dict(backbone=backbone),
            **shared)).pretty_text)
        paths.append(str(path))
    return paths


def _seconds(budget):
    found = re.fullmatch(r'(\d+(?:\.\d+)?)\s*(s|min|h)', budget)
    if not found:
        raise InputError(f'--budget must be a time such as 90s, 30min or 2h, '
                         f'but is {budget!r}')
    return float(found[1]) * dict(s=1, min=60, h=3600)[found[2]]
