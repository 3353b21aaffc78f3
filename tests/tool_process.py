"""Tools in processes of their own that need not import the toolboxes."""
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from subprocess import CompletedProcess

import torch

_CONTEXT = multiprocessing.get_context('forkserver')
# a server imports these once, and does nothing else than fork
_CONTEXT.set_forkserver_preload([
    'tool_process', 'sb_mm.apis', 'sb_mm.analysis', 'sb_mm.visualization',
    'mmdet.models', 'mmdet.datasets', 'mmdet.evaluation', 'mmseg.models',
    'mmseg.datasets', 'mmseg.evaluation', 'mmpretrain.models',
    'mmpretrain.datasets', 'mmpretrain.evaluation'
])


def run_in_process(tool, args, cwd, pythonpath=None, timeout=300):
    """Run a tool as ``python TOOL ARGS`` does, without the seconds that its
    imports take.

    Args:
        tool (Path): The tool.
        args (list[str]): Its arguments.
        cwd (Path): Directory to run it in.
        pythonpath (str, optional): Folder to import from. Defaults to None.
        timeout (int): Seconds. Defaults to 300.

    Returns:
        CompletedProcess: Exit code, and what it printed.
    """
    if torch.cuda.is_available():  # the server asked too: no fork may use it
        paths = [pythonpath, os.environ.get('PYTHONPATH')]
        return subprocess.run(
            [sys.executable, tool, *args],
            cwd=cwd,
            env={**os.environ, 'PYTHONPATH': ':'.join(filter(None, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout)
    with tempfile.NamedTemporaryFile() as output:
        process = _CONTEXT.Process(
            target=_run,
            args=(str(tool), args, str(cwd), pythonpath, output.name))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f'{tool} {args} took more than {timeout} s')
        return CompletedProcess(args, process.exitcode,
                                output.read().decode(errors='replace'))


def _run(tool, args, cwd, pythonpath, output):
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1), os.dup2(file, 2)
    os.chdir(cwd)
    sys.argv = [tool, *args]
    sys.path[:0] = [os.path.dirname(tool), *([pythonpath] if pythonpath else [])]
    runpy.run_path(tool, run_name='__main__')
