"""Runs that are killed, run out of space, or share their work."""
import os
import random
import subprocess
import sys
import time

import pytest
import torch
from conftest import CLS_CONFIG, ROOT, SEG_CONFIG, free_port, tool_env

from sb_mm.apis.config import newest_sound_checkpoint
from sb_mm.utils.checkpoint_file import read_checkpoint

#: A hook for a config that does something after an iteration.
HOOK = """
import os
import resource
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class TestHook(Hook):
    def after_train_iter(self, runner, batch_idx, **kwargs):
        {body}
"""


def with_hook(tmp_path, body):
    (tmp_path / 'test_hook.py').write_text(HOOK.format(body=body))
    config = tmp_path / 'config.py'
    config.write_text(f"""
_base_ = '{CLS_CONFIG}'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons', 'test_hook'],
    allow_failed_imports=False)
custom_hooks = [dict(type='TestHook')]
""")
    return config


def test_full_disk_leaves_the_last_checkpoint_sound(run_tool, tiny_cls,
                                                    tmp_path):
    config = with_hook(
        tmp_path, 'if batch_idx == 2: '
        'resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))')
    args = ('train.py', config, '--work-dir', 'work', '--resume',
            '--cfg-options', *tiny_cls)
    result = run_tool(*args, pythonpath=tmp_path)
    assert result.returncode == 2
    error = result.stdout[result.stdout.index('error: '):].splitlines()
    assert error[0].startswith('error: no space left')
    assert error[-1].startswith('  --resume goes on from ')
    assert error[-1].endswith('work/iter_2.pth.')
    assert (tmp_path / 'work/iter_4.pth').stat().st_size == 50_000
    sound = newest_sound_checkpoint(tmp_path / 'work')
    assert sound.endswith('iter_2.pth') and read_checkpoint(sound)['optimizer']
    (tmp_path / 'test_hook.py').write_text(HOOK.format(body='pass'))
    result = run_tool(*args, pythonpath=tmp_path)
    assert not result.returncode, result.stdout
    assert 'resumed epoch: 0, iter: 2' in result.stdout


@pytest.mark.parametrize('launch', ['one process', 'two processes'])
def test_error_of_one_rank_ends_the_run(run_tool, tiny_cls, tmp_path, launch):
    config = with_hook(
        tmp_path, "if os.environ.get('RANK', '1') == '1': "
        "raise RuntimeError('as it happens')")
    if launch == 'one process':
        result = run_tool('train.py', config, '--cfg-options', *tiny_cls,
                          pythonpath=tmp_path)
        assert result.returncode == 2
    else:
        start = time.monotonic()
        result = run_tool(
            'dist_train.sh', config, 2, '--cfg-options', *tiny_cls,
            env=tool_env(PORT=free_port(), PYTHONPATH=str(tmp_path)))
        assert result.returncode == 1  # torchrun's
        assert time.monotonic() - start < 120
    assert 'error: RuntimeError: as it happens' in result.stdout


def test_two_processes_learn_what_one_learns(run_tool, tiny_cls, tmp_path):
    """Two batches of one image are a batch of two."""
    options = [
        *tiny_cls, 'optim_wrapper.optimizer.type=SGD',
        'train_dataloader.dataset.pipeline.2.prob=0.0',
        'model.backbone.norm_cfg.type=GN',
        'model.backbone.norm_cfg.num_groups=4'
    ]
    result = run_tool('train.py', CLS_CONFIG, '--work-dir', 'one',
                      '--cfg-options', *options)
    assert not result.returncode, result.stdout
    result = run_tool(
        'dist_train.sh', CLS_CONFIG, 2, '--work-dir', 'two', '--cfg-options',
        *options, 'train_dataloader.batch_size=1',
        env=tool_env(PORT=free_port()))
    assert not result.returncode, result.stdout
    first, one, two = (
        read_checkpoint(tmp_path / path)['state_dict']
        for path in ('one/iter_2.pth', 'one/iter_4.pth', 'two/iter_4.pth'))
    assert one.keys() == two.keys()
    moved = max((one[key] - first[key]).abs().max() for key in one
                if one[key].is_floating_point())
    assert moved > 1e-4
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_killed_at_any_moment(tiny_cls, tmp_path):
    command = [
        sys.executable, str(ROOT / 'tools/train.py'), str(CLS_CONFIG),
        '--work-dir', str(tmp_path), '--resume', '--cfg-options', *tiny_cls,
        'train_cfg.max_iters=100000', 'default_hooks.checkpoint.interval=3',
        'default_hooks.checkpoint.max_keep_ckpts=3'
    ]
    reached = 0
    dice = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        for line in process.stdout:
            if 'Iter(train)' in line:
                break
        else:
            pytest.fail(f'exit code {process.wait()}')
        time.sleep(dice.uniform(0, 4))
        process.kill()
        process.communicate()
        sound = newest_sound_checkpoint(tmp_path)
        if sound:  # killed before the first one was written
            iteration = read_checkpoint(sound)['meta']['iter']
            assert iteration >= reached
            reached = iteration
    assert reached > 20


@pytest.mark.slow
def test_exit_codes_of_two_processes_on_a_busy_machine(run_tool, tiny_seg):
    runs = int(os.environ.get('SB_MM_RUNS', 100))
    busy = [
        subprocess.Popen([sys.executable, '-c', 'while True: pass'])
        for _ in os.sched_getaffinity(0)
    ]
    try:
        codes = [
            run_tool(
                'dist_train.sh', SEG_CONFIG, 2, '--work-dir', f'run_{i}',
                '--cfg-options', *tiny_seg, 'train_cfg.max_iters=2',
                env=tool_env(PORT=free_port())).returncode
            for i in range(runs)
        ]
    finally:
        for process in busy:
            process.kill()
    assert codes == [0] * runs
