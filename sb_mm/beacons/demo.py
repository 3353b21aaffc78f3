"""The demos: train on generated scenes, evaluate, draw."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List

import mmcv
from rich.progress import Progress

from ..main import TOOLS
from ..utils.contact_sheet import contact_sheet
from .scenes import make_beacons

CONFIGS = Path('configs/beacons')
#: Configs of each demo, and what the last one gives on other machines and
#: with other seeds.
DEMOS: dict = dict(
    classifier=(['sb_r50_beacons'], {
        'accuracy/top1': ('top-1 (%)', 100, 100)
    }),
    detector=(['sb_r50_beacons', 'maskrcnn_sb_r50_beacons'], {
        'coco/bbox_mAP': ('box AP', .56, .63),
        'coco/segm_mAP': ('mask AP', .54, .60)
    }),
    segmentor=(['sb_r50_beacons', 'upernet_sb_r50_beacons'],
               {'mIoU': ('mIoU (%)', 64, 68)}))


class DemoError(Exception):
    """A step of a demo that failed; the message says where."""


def demo(task: str, verbose: bool = False) -> List[dict]:
    """Train a network on Beacons, test it and draw its predictions.

    The logs go to ``work_dirs/CONFIG/output.txt``.

    Args:
        task (str): 'classifier', 'detector' or 'segmentor'; the two others
            start from the classifier.
        verbose (bool): Whether to print the logs too. Defaults to False.

    Returns:
        list[dict]: A row for each metric, and rows that say where the pictures
        are and what to try next.

    Raises:
        DemoError: If a step fails.
    """
    configs, metrics = DEMOS[task]
    make_beacons('data/beacons', num_train=800, num_val=60)
    for name in configs:
        config, work_dir = CONFIGS / f'{name}.py', Path('work_dirs', name)
        work_dir.mkdir(parents=True, exist_ok=True)
        log = work_dir / 'output.txt'
        log.write_text('')
        _run(f'Training {name}', log, verbose, 'train.py', config)
    weights = os.path.relpath((work_dir / 'last_checkpoint').read_text())
    shown = work_dir / 'pictures'
    _run(f'Testing {name}', log, verbose, 'test.py', config, weights,
         '--show-dir', shown)
    newest = max(work_dir.glob('*/*.json'), key=lambda path: path.parent.name)
    values = json.loads(newest.read_text())
    pictures = sorted(
        path for path in shown.rglob('*') if path.suffix in ('.png', '.jpg'))
    sheet = work_dir / 'contact_sheet.jpg'
    # two pictures side by side each
    contact_sheet([(path.stem, mmcv.imread(path)) for path in pictures[:6]],
                  sheet, columns=2, width=4.8)
    rows = [
        dict(what=f'{name}, {text}', result=f'{values[key]:.4g}',
             usual=f'{low:g} to {high:g}' if low < high else f'{low:g}')
        for key, (text, low, high) in metrics.items()
    ]
    rows += [
        dict(what='ground truth beside prediction', result=str(sheet)),
        dict(what=f'all {len(pictures)} pictures', result=str(shown)),
        dict(what='log', result=str(log)),
        dict(what='next: predict on pictures',
             result=f'tools/predict.py {config} {weights} '
             'data/beacons/images/validation'),
        dict(what='next: see the bias maps',
             result=f'tools/show_bias.py {config} {weights} '
             'data/beacons/images/validation/00000000.jpg')
    ]
    return rows


def _run(title, log, verbose, tool, *args):
    process = subprocess.Popen(
        [sys.executable, str(TOOLS / tool), *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with open(log, 'a', buffering=1) as file, Progress(
            disable=verbose) as progress:
        bar = progress.add_task(title, total=None)
        for line in process.stdout:
            file.write(line)
            if verbose:
                print(line, end='')
            found = re.search(r'Iter\(train\).*?\[\s*(\d+)/(\d+)\]|'
                              r'Epoch\(test\).*?\[\s*(\d+)/(\d+)\]', line)
            if found:
                done, total = map(int, filter(None, found.groups()))
                progress.update(bar, completed=done, total=total)
        if process.wait():
            raise DemoError(f'{title} failed; the log is {log}. It ends in: '
                            + line.strip())
        progress.update(bar, completed=1, total=1)
