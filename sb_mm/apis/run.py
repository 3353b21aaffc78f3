"""Hand a config to the standard runner."""
import gc
import sys
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from ..allocator import reuse_memory
from ..checkpoints import CheckpointError, read_safely
from .checks import InputError
from .config import prepare_test, prepare_train
from .loaded_weights import LoadedWeightsHook, MissingWeightsError


def run_train(args):
    """Train as ``tools/train.py`` does.

    Args:
        args (argparse.Namespace): Its flags.
    """
    runner = _build_runner(prepare_train, args)
    try:
        runner.train()
    except CheckpointError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        latest = find_latest_checkpoint(runner.work_dir)
        sys.exit('interrupted ' + (
            f'after {latest}; --resume goes on from there'
            if latest else 'before the first checkpoint was written'))
    del runner
    _leave_process_group()


def run_test(args):
    """Test as ``tools/test.py`` does, and print the metrics.

    Args:
        args (argparse.Namespace): Its flags.
    """
    try:
        runner = _build_runner(prepare_test, args)
        metrics = runner.test()
    except (CheckpointError, MissingWeightsError) as error:
        sys.exit(f'error: {error}')
    hook, = (hook for hook in runner.hooks
             if isinstance(hook, LoadedWeightsHook))
    del runner
    main = is_main_process()
    _leave_process_group()
    if not main:
        return
    for name, value in metrics.items():
        print(f'{name}: {value}')
    if args.show_dir:
        folder = Path(args.show_dir).absolute()
        pictures = sorted(
            path for path in folder.rglob('*')
            if path.suffix in ('.png', '.jpg'))
        print(f'{len(pictures)} pictures of predictions in {folder}, such as')
        for path in pictures[:5]:
            print(f'  {path}')
    if hook.empty:
        print(f'{hook.message}: these are scores of random weights')


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


def _build_runner(prepare, args):
    reuse_memory()
    read_safely()
    try:
        cfg = prepare(args)
    except InputError as error:
        sys.exit(f'error: {error}')
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        _use_cpu_processes(cfg)
    return (RUNNERS.build(cfg)
            if 'runner_type' in cfg else Runner.from_cfg(cfg))


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
