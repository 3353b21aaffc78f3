"""What an installed package has, and the command sb-mm."""
import os
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.fileio import load

from sb_mm.main import COMMANDS


@pytest.fixture(scope='session')
def installed(tmp_path_factory):
    """A folder with what the wheel has, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'  # the build leaves files in it
    for name in ('sb_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, symlinks=True,
                        ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'README.md', 'model-index.yml'):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps',
         '--no-build-isolation', '-w', folder, source], check=True)
    wheel, = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / 'site')
    return folder / 'site'


@pytest.fixture
def run(installed):

    def run(*command):
        return subprocess.run(
            [sys.executable, *map(str, command)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=installed,
            env={**os.environ, 'PYTHONPATH': str(installed)})

    return run


@pytest.fixture
def sb_mm(installed, run):
    script, = installed.glob('*.data/scripts/sb-mm')
    return lambda *args: run(script, *args)


def test_wheel_has_everything(installed):
    package = installed / 'sb_mm'
    for folder in ('configs', 'tools'):
        ours = {
            path.relative_to(ROOT / folder)
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and path.suffix != '.pyc'
        }
        assert ours == {
            path.relative_to(package / '.mim' / folder)
            for path in (package / '.mim' / folder).rglob('*')
            if path.is_file()
        }
    assert (package / 'py.typed').is_file()


def test_inherit_from_the_wheel(installed, run):
    (installed / 'mine.py').write_text(
        "_base_ = 'sb_mm::beacons/upernet_sb_r50_beacons.py'\n"
        'model = dict(backbone=dict(depth=18))\n')
    result = run(
        '-c', 'import sb_mm; print(sb_mm.__file__); '
        'from mmengine.config import Config; '
        "cfg = Config.fromfile('mine.py'); "
        "print(cfg.model.backbone.type, cfg.train_dataloader.dataset)")
    assert not result.returncode, result.stdout
    assert str(installed) in result.stdout
    assert 'SBResNet' in result.stdout
    assert '_scope_' not in result.stdout  # the types are the toolbox's


def test_command_of_the_wheel(installed, sb_mm):
    result = sb_mm('train', 'sb_mm::nothing.py')
    assert result.returncode == 2, result.stdout
    assert f'{installed}/sb_mm/.mim/configs/nothing.py' in result.stdout
    result = sb_mm('flops', 'sb_mm::sb_r38_cifar100.py', '--shape', 32, 32)
    assert not result.returncode, result.stdout
    assert '64.9' in result.stdout or '0.48' in result.stdout


def test_help_is_quick(sb_mm):
    result = sb_mm('--help')
    assert all(f'  {name} ' in result.stdout for name in COMMANDS)
    for name in COMMANDS:
        start = time.monotonic()
        result = sb_mm(name, '--help')
        seconds = time.monotonic() - start
        assert not result.returncode, result.stdout
        assert 'usage: sb-mm ' in result.stdout
        assert seconds < 4  # 0.1 to 0.6 on an idle core
    assert sb_mm('--version').stdout.strip()[0].isdigit()


def test_unknown_command(sb_mm):
    result = sb_mm('trian')
    assert result.returncode == 1 and 'did you mean train?' in result.stdout


def test_model_index():
    """What mim reads: every config is there, and no figure without a run."""
    files = load(ROOT / 'model-index.yml')['Import']
    for file in files:
        metafile = load(ROOT / file)
        collections = {each['Name'] for each in metafile['Collections']}
        for model in metafile['Models']:
            assert model['In Collection'] in collections
            assert (ROOT / model['Config']).is_file()
            assert model['Name'] == model['Config'].split('/')[-1][:-3]
            assert 'Results' not in model or model['Weights']


def test_our_scope_on_the_command_line(run_tool, tmp_path):
    """A config of ours is named from anywhere."""
    result = run_tool('check_data.py', 'sb_mm::maskrcnn_sb_r50_coco.py')
    assert result.returncode == 2
    assert 'data/coco/' in result.stdout  # not: the config does not exist


def test_doctor(run_tool):
    result = run_tool('doctor.py', new=True)
    assert not result.returncode, result.stdout
    assert 'operators of mmcv: give the right numbers' in result.stdout
    assert 'no problem found' in result.stdout


def test_configs_are_found_in_a_checkout():
    cfg = Config.fromfile(ROOT / 'sb_mm/.mim/configs/maskrcnn_sb_r50_coco.py')
    assert cfg.model.backbone.type == 'SBResNet'
