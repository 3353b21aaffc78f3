"""Configs times seeds, one run after another."""
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional, Sequence, Union

from mmengine.config import Config, DictAction
from rich.progress import track

from ..apis.checks import check_at_least, listed, read_config
from ..apis.config import check_run
from ..main import TOOLS
from .compare import compare
from .kept_runs import read_runs
from .work_dirs import Experiment, Run, checkpoints_elsewhere


def run_matrix(configs: Sequence[str],
               seeds: Sequence[int],
               work_dir: Union[str, Path],
               jobs: int = 1,
               gpus: int = 0,
               test: bool = False,
               cfg_options: Sequence[str] = (),
               out: Optional[str] = None,
               baseline: Optional[str] = None,
               keep: bool = False) -> List[dict]:
    """Train every config with every seed by ``tools/train.py``.

    What is finished is skipped and what is not is resumed, so an interrupted
    matrix goes on where it stopped; what is there has to have the same
    settings. A run that fails does not stop the others.

    Args:
        configs (list[str]): Config files.
        seeds (list[int]): Seeds.
        work_dir (str or Path): Folder for the work dirs, ``CONFIG/seed_N``.
        jobs (int): Number of runs at a time, which share the CPU cores.
            Defaults to 1.
        gpus (int): GPUs of each run, by torchrun. Defaults to 0: one process,
            on a GPU if there is one.
        test (bool): Whether to test the last weights of each run, once, by
            ``tools/test.py``, and keep the predictions in its work dir.
            Defaults to False: the table has the last validation.
        cfg_options (list[str]): ``KEY=VALUE`` for every run. Defaults to ().
        out (str, optional): Folder for the table. Defaults to None, that of
            the runs.
        baseline (str, optional): Config to compare with. Defaults to None,
            the first.
        keep (bool): Whether the runs with the same settings that ``out`` has
            in its ``runs.csv`` are finished too, with and without a work dir.
            Defaults to False.

    Returns:
        list[dict]: The rows of :func:`compare`, and one for each run that
        failed.

    Raises:
        FileNotFoundError: If a config does not exist.
        InputError: If settings, data or weights cannot be used, or a number
            is too small.
        ValueError: If two configs have the same name, one is JSON, a work dir
            has a run with other settings, or a config writes its checkpoints
            outside of it, or no scalars.
    """
    seeds = list(dict.fromkeys(seeds))
    check_at_least(1, jobs=jobs)
    check_at_least(0, gpus=gpus, seeds=min(seeds))
    missing = [config for config in configs if not Path(config).is_file()]
    if missing:
        raise FileNotFoundError(f'no such config: {", ".join(missing)}')
    if json := [each for each in configs if Path(each).suffix == '.json']:
        raise ValueError(f'{json[0]}: the config in a work dir is not told '
                         'from the predictions there as JSON, give it as .py '
                         'or .yaml')
    if len({Path(config).stem for config in configs}) < len(configs):
        raise ValueError('two configs have the same name: their work dirs '
                         'would be the same')
    folder = str(out or work_dir)
    runs = [(config, seed, Path(work_dir, Path(config).stem, f'seed_{seed}'))
            for seed in seeds for config in configs]
    kept = read_runs(folder) if keep else []
    wanted = {config: _experiment(config, cfg_options) for config in configs}
    for config, experiment in wanted.items():
        _check_output(config, experiment.cfg)
    there = {(run.name, run.seed, run.digests)
             for run in kept if run.tested or not test}
    runs = [(config, seed, path) for config, seed, path in runs
            if (Path(config).stem, seed, wanted[config].digests) not in there]
    for config, _, path in runs:
        _check_settings(path, wanted[config])
    phases = ('train', 'val', 'test') if test else ('train', 'val')
    for config in dict.fromkeys(config for config, _, path in runs
                                if not _complete(_finished(path), test)):
        check_run(wanted[config].cfg, *phases)
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    done, failed = [], []

    env = dict(os.environ)
    env.setdefault('OMP_NUM_THREADS', threads)
    # torchrun of this environment, activated or not
    env['PATH'] = f'{Path(sys.executable).parent}:{env.get("PATH", "")}'

    def call(tool, given, path, seed, *flags):
        command = [sys.executable, TOOLS / f'{tool}.py', *given]
        if gpus:
            command = [TOOLS / f'dist_{tool}.sh', *given, gpus]
        command += ['--work-dir', path, *flags, '--cfg-options',
                    f'randomness.seed={seed}', *cfg_options]
        with open(path / 'output.txt', 'a+', errors='replace') as output:
            begin = output.tell()  # what earlier attempts said is before it
            code = subprocess.run(
                list(map(str, command)),
                stdout=output, stderr=subprocess.STDOUT, env=env).returncode
            output.seek(begin)
            return _last_words(output.read(), code)

    def train(run):
        config, seed, path = run
        reason = ''
        if not _finished(path):
            path.mkdir(parents=True, exist_ok=True)
            reason = call('train', [config], path, seed, '--resume')
        done = _finished(path)
        if done and not _complete(done, test):
            reason = call('test', [config, done.weights], path, seed, '--out',
                          done.predictions)
            done = _finished(path)
        return path, reason, done and (done.tested or not test)

    with ThreadPoolExecutor(jobs) as pool:
        for path, reason, finished in track(
                pool.map(train, runs), 'Training', total=len(runs)):
            if finished:
                done.append(path)
            else:
                print(f'{path}: {reason}')
                failed.append({
                    'config': path.parent.name,
                    'seeds': path.name.removeprefix('seed_'),
                    'status': f'failed, see {path}/output.txt'
                })
    rows = []
    if done or kept:
        rows = compare(done, folder, baseline, keep=keep)
    return rows + failed


def _experiment(config, cfg_options):
    """Experiment: What the runner will write of a run of this config."""
    parser = ArgumentParser()
    parser.add_argument('options', nargs='*', action=DictAction, default={})
    cfg = read_config(config, parser.parse_args(cfg_options).options)
    return Experiment(Config.fromstring(cfg.pretty_text, '.py'))


def _check_output(config, cfg):
    """Refuse what would be trained and could not be read afterwards."""
    if checkpoints_elsewhere(cfg):
        raise ValueError(f'{config} has default_hooks.checkpoint.out_dir, '
                         'where all its runs of a seed would write to one '
                         'folder: take it away')
    visualizer = cfg.get('visualizer')  # MMEngine's own has one
    if visualizer and not any(
            each['type'].endswith('LocalVisBackend')
            for each in visualizer.get('vis_backends') or ()):
        raise ValueError(f'{config} has no LocalVisBackend among '
                         'visualizer.vis_backends, which writes what the '
                         'tables are made of: add it')


def _check_settings(path, wanted):
    """Refuse to take a run for one with other settings, and to resume it."""
    try:
        different = wanted.differences(Run(path))
    except FileNotFoundError:
        return
    if different:
        raise ValueError(f'{path} has a run with another '
                         f'{listed(different, 5)}: give another --work-dir, or '
                         'remove it')


def _complete(run, test):
    """Whether there is nothing left to run of what :func:`_finished` found."""
    return run and (not test or (run.tested and run.has_predictions))


def _last_words(output, code):
    """The error that a run ended in, or the signal, or its last line."""
    lines = output.strip().splitlines() or ['it wrote nothing']
    error = next((line for line in reversed(lines)
                  if line.startswith('error: ')), None)
    if error or code >= 0:
        return error or lines[-1]
    return f'ended by {signal.Signals(-code).name} after: {lines[-1]}'


def _finished(path):
    """Run or None: That of the work dir, if it is trained to the end; it has
    no metrics where no validation was due there."""
    try:
        run = Run(path)
    except FileNotFoundError:
        return None
    return None if run.reached < run.planned else run
