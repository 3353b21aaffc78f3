"""Configs times seeds, one run after another."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional, Sequence, Union

from rich.progress import track

from ..main import TOOLS
from .compare import compare
from .work_dirs import Run


def run_matrix(configs: Sequence[str],
               seeds: Sequence[int],
               work_dir: Union[str, Path],
               jobs: int = 1,
               gpus: int = 0,
               cfg_options: Sequence[str] = (),
               out: Optional[str] = None,
               baseline: Optional[str] = None) -> List[dict]:
    """Train every config with every seed by ``tools/train.py``.

    What is finished is skipped and what is not is resumed, so an interrupted
    matrix goes on where it stopped. A run that fails does not stop the others.

    Args:
        configs (list[str]): Config files.
        seeds (list[int]): Seeds.
        work_dir (str or Path): Folder for the work dirs, ``CONFIG/seed_N``.
        jobs (int): Number of runs at a time, which share the CPU cores.
            Defaults to 1.
        gpus (int): GPUs of each run, by torchrun. Defaults to 0: one process,
            on a GPU if there is one.
        cfg_options (list[str]): ``KEY=VALUE`` for every run. Defaults to ().
        out (str, optional): Folder for the table. Defaults to None, that of
            the runs.
        baseline (str, optional): Config to compare with. Defaults to None,
            the first.

    Returns:
        list[dict]: The rows of :func:`compare`, and one for each run that
        failed.

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
        command = [sys.executable, str(TOOLS / 'train.py'), config]
        if gpus:
            command = [str(TOOLS / 'dist_train.sh'), config, str(gpus)]
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
            if finished:
                done.append(path)
            else:
                failed.append({
                    'config': path.parent.name,
                    'seeds': path.name.removeprefix('seed_'),
                    'status': f'failed, see {path}/output.txt'
                })
    rows = compare(done, str(out or work_dir), baseline) if done else []
    return rows + failed


def _finished(path):
    try:
        return Run(path).status == 'finished'
    except FileNotFoundError:
        return False
