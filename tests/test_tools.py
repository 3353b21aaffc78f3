import os
import pickle
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import ROOT

CONFIG = ROOT / 'configs/beacons/maskrcnn_sb_r50_beacons.py'
COCO = ROOT / 'configs/maskrcnn_sb_r50_coco.py'


@pytest.fixture(scope='session')
def tiny(beacons):
    """Options that shrink the demo to a few seconds on one core."""
    options = [
        'model.backbone.base_channels=8', 'model.backbone.depth=18',
        'model.neck.in_channels=[8,16,32,64]', 'train_cfg.max_iters=4',
        'train_cfg.val_interval=100', 'default_hooks.checkpoint.interval=2',
        'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'model.test_cfg.rcnn.score_thr=0.0', 'param_scheduler=None',
        'default_hooks.logger.interval=1',
    ]
    options += [
        f'{phase}_dataloader.dataset.data_root={beacons}'
        for phase in ('train', 'val', 'test')
    ] + [
        f'{phase}_dataloader.{option}' for phase in ('val', 'test')
        for option in ('num_workers=0', 'persistent_workers=False')
    ]
    return options + [
        f'{phase}_evaluator.ann_file='
        f'{beacons}/annotations/instances_validation.json'
        for phase in ('val', 'test')
    ]


@pytest.fixture(scope='session')
def trained(tiny, tmp_path_factory):
    """A work dir after four iterations."""
    work_dir = tmp_path_factory.mktemp('trained')
    subprocess.run([
        sys.executable,
        str(ROOT / 'tools/train.py'),
        str(CONFIG), '--work-dir',
        str(work_dir), '--cfg-options', *tiny
    ], check=True, stdout=subprocess.DEVNULL)
    return work_dir


def test_resume_goes_on_from_the_checkpoint(run_tool, tiny, trained,
                                            tmp_path):
    checkpoint = trained / 'iter_4.pth'
    result = run_tool('train.py', CONFIG, '--work-dir', tmp_path / 'more',
                      '--resume', checkpoint, '--cfg-options', *tiny,
                      'train_cfg.max_iters=5',
                      'default_hooks.checkpoint.interval=1')
    assert not result.returncode, result.stdout
    assert 'resumed epoch: 0, iter: 4' in result.stdout
    iterations = re.findall(r'Iter\(train\) \[(\d+)/5\]', result.stdout)
    assert iterations == ['5']
    before, after = (
        torch.load(path, weights_only=False)['optimizer']['state']
        for path in (checkpoint, tmp_path / 'more/iter_5.pth'))
    assert before.keys() == after.keys()
    assert {int(state['step']) for state in before.values()} == {4}
    assert {int(state['step']) for state in after.values()} == {5}


def test_test_prints_ap_dumps_and_draws(run_tool, tiny, trained, tmp_path):
    result = run_tool('test.py', CONFIG, trained / 'iter_4.pth', '--work-dir',
                      tmp_path, '--out', tmp_path / 'out/p.pkl', '--show-dir',
                      tmp_path / 'pictures', '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert re.search(r'^coco/bbox_mAP: \d', result.stdout, re.M)
    assert re.search(r'^coco/segm_mAP: \d', result.stdout, re.M)
    assert f'4 pictures of predictions in {tmp_path}/pictures' in result.stdout
    assert len(list((tmp_path / 'pictures').iterdir())) == 4
    with open(tmp_path / 'out/p.pkl', 'rb') as file:
        assert len(pickle.load(file)) == 4


def test_flips_at_test_time(run_tool, tiny, trained, tmp_path):
    result = run_tool('test.py', CONFIG, trained / 'iter_4.pth', '--tta',
                      '--work-dir', tmp_path, '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert re.search(r'^coco/segm_mAP: \d', result.stdout, re.M)


def test_two_processes(run_tool, tiny, tmp_path):
    result = run_tool(
        'dist_train.sh',
        CONFIG,
        2,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        *tiny,
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        env=tool_env(PORT='29511'))
    assert not result.returncode, result.stdout
    assert 'coco/segm_mAP' in result.stdout
    result = run_tool(
        'dist_test.sh',
        CONFIG,
        tmp_path / 'work/iter_2.pth',
        2,
        '--work-dir',
        tmp_path / 'test',
        '--cfg-options',
        *tiny,
        env=tool_env(PORT='29512'))
    assert not result.returncode, result.stdout
    assert result.stdout.count('\ncoco/segm_mAP: ') == 1


def tool_env(**variables):
    """The environment of an activated .venv."""
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    return {**os.environ, 'PATH': path, **variables}


def test_interruption_leaves_a_checkpoint_to_go_on_from(tiny, tmp_path):
    process = subprocess.Popen([
        sys.executable,
        str(ROOT / 'tools/train.py'),
        str(CONFIG), '--work-dir',
        str(tmp_path), '--cfg-options', *tiny, 'train_cfg.max_iters=10000'
    ], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        # a shell in the background has its children ignore the signal
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
    while not (tmp_path / 'last_checkpoint').is_file():
        assert process.poll() is None
        time.sleep(.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode
    last = (tmp_path / 'last_checkpoint').read_text()
    assert torch.load(last, weights_only=False)['meta']['iter'] >= 2
    assert re.search(r'interrupted after .*iter_\d+\.pth; --resume', output)


@pytest.mark.parametrize('tool, args, parts', [
    ('train.py', ['gone.py'], ['the config gone.py does not exist']),
    ('train.py', [COCO], [
        'data/coco/ (train_dataloader.dataset.data_root) does not exist',
        'cocodataset.org', 'ln -s /path/to/data data/coco',
        '--cfg-options train_dataloader.dataset.data_root='
    ]),
    ('train.py', [CONFIG], ['tools/make_beacons.py data/beacons']),
    ('train.py', [
        COCO, '--cfg-options', 'model.backbone.init_cfg.checkpoint=gone.pth'
    ], ['gone.pth', 'model.backbone.init_cfg.checkpoint=FILE']),
    ('train.py', [CONFIG, '--resume', 'gone.pth'], ['gone.pth does not exist']),
    ('train.py', [CONFIG, '--auto-scale-lr'], ['base_batch_size']),
    ('test.py', [COCO, 'gone.pth'], ['the checkpoint gone.pth does not exist']),
    ('test.py', [COCO, __file__, '--out', 'a.json'], ['.pkl', 'a.json']),
])
def test_missing_input_gives_one_clear_message(run_tool, tmp_path, tool, args,
                                               parts):
    result = run_tool(tool, *args)
    assert result.returncode == 1
    message = result.stdout[result.stdout.index('error: '):]
    for part in parts:
        assert part in message
    assert 'Traceback' not in result.stdout
    assert not list(tmp_path.iterdir())


def test_make_beacons(run_tool, tmp_path):
    args = ['beacons', '--num-train', 2, '--num-val', 1, '--size', 32]
    assert 'beacons written' in run_tool('make_beacons.py', *args).stdout
    assert 'is there already' in run_tool('make_beacons.py', *args).stdout
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/file').touch()
    result = run_tool('make_beacons.py', 'mine')
    assert result.returncode == 1
    assert 'left alone' in result.stdout and 'Traceback' not in result.stdout
