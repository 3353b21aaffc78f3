"""Configs times seeds, one run after another."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.progress import track

from .work_dirs import Run

_TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def run_matrix(configs, seeds, work_dir, jobs=1, gpus=0, cfg_options=()):
    """Train every config with every seed by ``tools/train.py``.

    What is finished is skipped and what is not is resumed, so an interrupted
    matrix goes on where it stopped. A run that fails does not stop the others.

    Args:
        configs (list[str]): Config files.
        seeds (list[int]): Seeds.
        work_dir (str): Folder for the work dirs, ``CONFIG/seed_N``.
        jobs (int): Number of runs at a time, which share the CPU cores.
            Defaults to 1.
        gpus (int): GPUs of each run, by torchrun. Defaults to 0: one process,
            on a GPU if there is one.
        cfg_options (list[str]): ``KEY=VALUE`` for every run. Defaults to ().

    Returns:
        tuple[list[Path], list[Path]]: Work dirs of the runs that finished, and
        of those that failed.

    Raises:
        FileNotFoundError: If a config does not exist.
        ValueError: If two configs have the same name.
    """
    missing = [config for config in configs if not Path(config).is_file()]
    if missing:
        raise FileNotFoundError(f'no such config: {", ".join(missing)}')
    if len({Path(config).stem for config in configs}) < len(configs):
        raise ValueError('two configs have the same name: their work dirs '
                         'would be the same')
    runs = [(config, seed, Path(work_dir, Path(config).stem, f'seed_{seed}'))
            for seed in seeds for config in configs]
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    done, failed = [], []

    def train(run):
        config, seed, path = run
        if _finished(path):
            return path, True
        path.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(_TOOLS / 'train.py'), config]
        if gpus:
            command = [str(_TOOLS / 'dist_train.sh'), config, str(gpus)]
        env = dict(os.environ)
        env.setdefault('OMP_NUM_THREADS', threads)
        # torchrun of this environment, activated or not
        env['PATH'] = f'{Path(sys.executable).parent}:{env.get("PATH", "")}'
        with open(path / 'output.txt', 'a') as output:
            subprocess.run(
                [*command, '--work-dir', str(path), '--resume',
                 '--cfg-options', f'randomness.seed={seed}', *cfg_options],
                stdout=output, stderr=subprocess.STDOUT, env=env)
        return path, _finished(path)

    with ThreadPoolExecutor(jobs) as pool:
        for path, finished in track(
                pool.map(train, runs), 'Training', total=len(runs)):
            (done if finished else failed).append(path)
            if not finished:
                print(f'{path} did not finish, see {path}/output.txt')
    return done, failed


def _finished(path):
    try:
        return Run(path).status == 'finished'
    except FileNotFoundError:
        return False
