"""Hand a config to the standard runner."""
import gc
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from ..allocator import collector_off, reuse_memory
from ..utils.checkpoint_file import read_safely
from .config import (format_once, newest_sound_checkpoint, prepare_test,
                     prepare_train)
from .data_checks import CheckDataHook, name_unreadable_files
from .errors import describe, write_traceback
from .loaded_weights import LoadedWeightsHook, NewHeadsHook


class RunError(Exception):
    """A run that ended in an error; the message says where."""


def run_train(**flags: Any) -> None:
    """Train as ``tools/train.py`` does.

    Args:
        **flags: Its flags.

    Raises:
        InputError: If what the run needs is missing or does not fit.
        RunError: If the run itself ends in an error.
        KeyboardInterrupt: If it is interrupted; the message says from where
            it can go on.
    """
    cfg = _prepare(prepare_train, flags)
    with _traceback_kept(cfg, flags):
        runner = _build_runner(cfg)
        if cfg.get('load_from') and not cfg.get('resume'):
            runner.register_hook(NewHeadsHook())
        try:
            with collector_off():
                runner.train_loop  # reads the annotations
            runner.train()
        except KeyboardInterrupt:
            latest = find_latest_checkpoint(runner.work_dir)
            raise KeyboardInterrupt('interrupted ' + (
                f'after {latest}; --resume goes on from there' if latest else
                'before the first checkpoint was written')) from None
    del runner
    _leave_process_group()


def run_test(**flags: Any) -> None:
    """Test as ``tools/test.py`` does, and print the metrics.

    Args:
        **flags: Its flags.

    Raises:
        InputError: If what the run needs is missing or does not fit.
        RunError: If the run itself ends in an error.
    """
    cfg = _prepare(prepare_test, flags)
    with _traceback_kept(cfg, flags):
        runner = _build_runner(cfg)
        with collector_off():
            runner.test_loop  # reads the annotations
        metrics = runner.test()
    hook, = (hook for hook in runner.hooks
             if isinstance(hook, LoadedWeightsHook))
    del runner
    main = is_main_process()
    _leave_process_group()
    if not main:
        return
    for name, value in metrics.items():
        print(f'{name}: {value}')
    if flags['show_dir']:
        folder = Path(flags['show_dir']).absolute()
        pictures = sorted(
            path for path in folder.rglob('*')
            if path.suffix in ('.png', '.jpg'))
        print(f'{len(pictures)} pictures of predictions in {folder}, such as')
        for path in pictures[:5]:
            print(f'  {path}')
    if hook.empty:
        print(f'{hook.message}: these are scores of random weights')


@contextmanager
def _traceback_kept(cfg, flags):
    """Keep the traceback of an error that is not one of ours in a file, since
    a run may not fail a second time."""
    try:
        yield
    except Exception as error:
        text = describe(error)
        if not type(error).__module__.startswith('sb_mm.'):
            path = write_traceback(error, cfg.work_dir)
            text += f'\n  Its traceback is in {path}.'
        sound = 'resume' in flags and newest_sound_checkpoint(
            Path(cfg.work_dir))
        if sound:
            text += f'\n  --resume goes on from {sound}.'
        raise RunError(text) from error


def _leave_process_group():
    """End the threads of the process group while the interpreter lives.

    They hold Python objects, and abort the process when they let go of one
    after the interpreter has ended. The model holds the group, so the runner
    has to be gone. After an exception nothing is waited for: the other
    processes may hang in a collective, and the exit code is an error anyway.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()


def _prepare(prepare, flags):
    reuse_memory()
    read_safely(flags['trust'])
    format_once()
    cfg = prepare(Namespace(**flags))
    name_unreadable_files(cfg.get('default_scope'))
    return cfg


def _build_runner(cfg):
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        _use_cpu_processes(cfg)
    runner = (
        RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg))
    runner.register_hook(CheckDataHook(), 'VERY_HIGH')
    return runner


def _use_cpu_processes(cfg):
    """Set up what mmengine sets up for processes with a GPU each alone."""
    torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = {
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
        **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None
    }
    _replace_sync_bn(cfg.model)


def _replace_sync_bn(cfg):
    """SyncBN works between GPUs alone."""
    if isinstance(cfg, dict) and cfg.get('type') == 'SyncBN':
        cfg['type'] = 'BN'
    for value in cfg.values() if isinstance(cfg, dict) else cfg:
        if isinstance(value, (dict, list, tuple)):
            _replace_sync_bn(value)
