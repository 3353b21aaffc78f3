#!/usr/bin/env python3
"""Set up a virtual environment with the locked stack and sb_mm in it.

Needs only Python, a C++ compiler and the package index. The operators of mmcv
are built once for each Python, PyTorch and mmcv, and kept in a cache outside
the checkout. An interrupted set-up is started again by the next call.
"""
import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from runpy import run_path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = run_path(str(ROOT / 'sb_mm' / 'compat.py'))['PYTHONS']
UV = 'uv==0.13.9'
CACHE = Path(
    os.environ.get('SB_MM_CACHE')
    or Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser()
    / 'sb_mm')
#: A folder or page of wheels that the operators are looked for in first.
FIND_LINKS = os.environ.get('SB_MM_FIND_LINKS')
#: How the requirement of the operators begins, which are built here.
OPERATORS = ('onedl-mmcv==', 'mmcv==')
#: Written first and last into an environment of ours.
MARKER, STAMP = 'sb_mm.marker', 'sb_mm.stamp'


def main(venv, stack):
    check_python()
    with lock(ROOT / '.setup.lock'):
        key = hashlib.sha256(
            b'\n'.join([stack.read_bytes(),
                        Path(__file__).read_bytes(),
                        sys.version.encode()])).hexdigest()
        stamp = venv / STAMP
        if stamp.is_file() and stamp.read_text() == key:
            stamp.touch()
            return
        start_over(venv)
        python = str(venv / 'bin' / 'python')
        say('2/4 Installing PyTorch and the toolboxes: about 2 minutes and '
            '5 GB the first time, seconds after that.')
        install_stack(python, stack)
        install_operators(python, venv, stack)
        say('4/4 Installing sb_mm.')
        uv(python, '--no-deps', '--no-build-isolation', '-e', str(ROOT))
        stamp.write_text(key)


def check_python():
    """Go on with a Python that fits, or say that there is none."""
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[-1]:
        return
    for version in reversed(PYTHONS):
        python = shutil.which('python{}.{}'.format(*version))
        if python and not subprocess.run([python, '-c', ''],
                                         stderr=subprocess.DEVNULL).returncode:
            os.execv(python, [python, *sys.argv])
    sys.exit('error: Python {}.{} to {}.{} is needed, but {} is {}.{} and no '
             'other is on the PATH; name one: make PYTHON=/path/to/python'
             .format(*PYTHONS[0], *PYTHONS[-1], sys.executable,
                     *sys.version_info))


def start_over(venv):
    if venv.exists() and not (venv / MARKER).is_file():
        sys.exit(f'error: {venv} was not made by this set-up; move it away or '
                 'name another place: make VENV=FOLDER')
    if venv.exists():
        say('A set-up was interrupted or is out of date; starting it again.')
        shutil.rmtree(venv)
    say(f'1/4 Making a virtual environment in {venv}.')
    venv.mkdir(parents=True)
    (venv / MARKER).touch()
    run([sys.executable, '-m', 'venv', str(venv)],
        'no virtual environment can be made; on Debian and Ubuntu: '
        'apt install python3-venv')
    run([str(venv / 'bin' / 'python'), '-m', 'pip', 'install', '-q', UV],
        f'{UV} cannot be installed from the package index')


def install_stack(python, stack):
    packages = [
        line for line in stack.read_text().splitlines()
        if not line.startswith(('#', *OPERATORS))
    ]
    uv(python, '--no-deps', '--compile-bytecode', '--build-constraints',
       str(stack), '-r', '-', text='\n'.join(packages))


def install_operators(python, venv, stack):
    """Install mmcv from the cache, or build it into the cache."""
    requirement = next(
        line for line in stack.read_text().splitlines()
        if line.startswith(OPERATORS))
    torch = json.loads(
        subprocess.run([python, '-c', PROBE], check=True, text=True,
                       stdout=subprocess.PIPE).stdout)
    device = torch['device']
    if torch['gpu'] and device == 'cpu':
        say(f'The GPU stays unused: the operators need a CUDA toolkit of '
            f'version {torch["cuda"]} (nvcc) to be built for it. Install one '
            f'and remove {venv} to use the GPU.')
        (venv / 'sb_mm.env').write_text('CUDA_VISIBLE_DEVICES=-1\n')
    name = '-'.join([
        requirement.replace('==', '-'),
        f'torch-{torch["version"]}', device,
        f'cp{sys.version_info[0]}{sys.version_info[1]}',
        platform.system().lower(),
        platform.machine()
    ])
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / 'lock'):
        wheels = list(folder.glob('*.whl'))
        if not wheels and FIND_LINKS:
            wheels = find_operators(python, requirement, folder)
        if wheels:
            say(f'3/4 Installing the operators of mmcv from {folder}.')
        else:
            wheels = [build_operators(python, requirement, device, folder)]
    uv(python, '--no-deps', '--no-cache', '--compile-bytecode',
       str(wheels[0]))


#: What the operators are built for: a GPU needs nvcc of PyTorch's CUDA.
PROBE = '''
import json, re, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME
cuda, device, gpu = torch.version.cuda, 'cpu', torch.cuda.is_available()
if gpu and CUDA_HOME:
    text = subprocess.run([CUDA_HOME + '/bin/nvcc', '--version'], text=True,
                          stdout=subprocess.PIPE).stdout
    found = re.search(r'release (\\d+)', text)
    if found and found[1] == cuda.split('.')[0]:
        device = 'sm%d%d' % torch.cuda.get_device_capability()
print(json.dumps(dict(version=torch.__version__, cuda=cuda, gpu=gpu,
                      device=device)))
'''


def find_operators(python, requirement, folder):
    """Take a wheel of the operators from where ``SB_MM_FIND_LINKS`` says."""
    if '://' not in FIND_LINKS and not Path(FIND_LINKS).is_dir():
        sys.exit(f'error: SB_MM_FIND_LINKS is {FIND_LINKS}, which is no folder '
                 'and no address of a page')
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run([
            python, '-m', 'pip', 'download', '-q', '--no-deps', '--no-index',
            '--only-binary', ':all:', '--find-links', FIND_LINKS, '-d',
            scratch, requirement
        ], stderr=subprocess.DEVNULL)
        found = [
            wheel.replace(folder / wheel.name)
            for wheel in Path(scratch).glob('*.whl')
        ]
    if not found:
        say(f'There is no wheel of {requirement} for this Python in '
            f'{FIND_LINKS}.')
    return found


def build_operators(python, requirement, device, folder):
    if not shutil.which(os.environ.get('CXX', 'c++')):
        sys.exit('error: a C++ compiler is needed to build the operators of '
                 'mmcv, but there is no c++ on the PATH; on Debian and '
                 'Ubuntu: apt install g++')
    header = Path(sysconfig.get_path('include'), 'Python.h')
    if not header.is_file():
        sys.exit(f'error: {header} is needed to build the operators of mmcv; '
                 'on Debian and Ubuntu: apt install python3-dev')
    log = folder / 'build.log'
    say(f'3/4 Building the operators of mmcv for {device}: about 10 minutes '
        f'on 2 cores, once for this Python and PyTorch; they are kept in '
        f'{folder}. Log: {log}')
    env = dict(os.environ, PATH=f'{Path(python).parent}:{os.environ["PATH"]}')
    env.setdefault('MAX_JOBS', str(len(os.sched_getaffinity(0))))
    # without debug information the build takes a third of the time
    env['CFLAGS'] = f'{env.get("CFLAGS", "")} -g0'
    if device == 'cpu':
        env['CUDA_VISIBLE_DEVICES'] = '-1'
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with open(log, 'w') as out:
            # pip's cache does not tell one torch from another
            build = subprocess.Popen([
                python, '-m', 'pip', 'wheel', '-v', '--no-cache-dir',
                '--no-deps', '--no-build-isolation', '-w', scratch,
                requirement
            ], env=env, stdout=out, stderr=subprocess.STDOUT)
            try:
                while build.poll() is None:
                    try:
                        build.wait(60)
                    except subprocess.TimeoutExpired:
                        minutes = (time.monotonic() - start) / 60
                        say(f'    building for {minutes:.0f} min, '
                            f'{left(log, minutes)}')
            finally:
                build.terminate()
        if build.returncode:
            tail = '\n'.join(log.read_text().splitlines()[-15:])
            sys.exit(f'{tail}\nerror: the operators of mmcv could not be '
                     f'built; the whole log is {log}')
        wheel, = Path(scratch).glob('*.whl')
        return wheel.replace(folder / wheel.name)


def left(log, minutes):
    """How much of a build is left, by what ninja has counted."""
    counts = re.findall(r'^ *\[(\d+)/(\d+)\]', log.read_text(errors='replace'),
                        re.M)
    done, of = map(int, counts[-1]) if counts else (0, 0)
    if not done:
        return 'nothing compiled yet'
    return (f'{done} of {of} files, about {minutes * (of - done) / done:.0f} '
            'min left')


def uv(python, *args, text=None):
    env = dict(os.environ)
    if 'PIP_INDEX_URL' in env:
        env.setdefault('UV_DEFAULT_INDEX', env['PIP_INDEX_URL'])
    run([
        str(Path(python).parent / 'uv'), 'pip', 'install', '-q', '--python',
        python, *args
    ], 'the packages above cannot be installed', text=text, env=env)


def run(command, message, text=None, env=None):
    if subprocess.run(command, input=text, text=True, env=env).returncode:
        sys.exit(f'error: {message}')


@contextmanager
def lock(path):
    """Wait until no other set-up uses the same place."""
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('Waiting for another set-up to finish.')
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(message):
    print(f'[setup] {message}', flush=True)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'venv',
        nargs='?',
        type=Path,
        default=ROOT / '.venv',
        help='folder of the environment (default: .venv in the checkout)')
    parser.add_argument(
        '--stack',
        type=Path,
        default=ROOT / 'requirements' / 'stack.txt',
        help='locked packages (default: requirements/stack.txt)')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    try:
        main(args.venv, args.stack)
    except KeyboardInterrupt:
        sys.exit('\n[setup] Interrupted; the next call starts again.')
