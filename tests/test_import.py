import subprocess
import sys
import venv
from importlib.metadata import metadata

import pytest
from conftest import ROOT

from sb_mm.compat import FOUNDATIONS, PYTHONS, TOOLBOXES


def run(python, code='import sb_mm', path=()):
    """Run code in a new process that finds nothing but its environment."""
    return subprocess.run(
        [str(python), '-c', code],
        env=dict(PYTHONPATH=':'.join(map(str, (*path, ROOT)))),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)


def test_bare_environment_gives_one_clear_error(tmp_path):
    venv.create(tmp_path / 'bare')
    for checkout in ('mmengine', 'mmdet'):  # of which nothing is installed
        (tmp_path / 'checkouts' / checkout).mkdir(parents=True)
    result = run(tmp_path / 'bare/bin/python', path=[tmp_path / 'checkouts'])
    assert result.returncode
    error = result.stdout.splitlines()[-1]
    assert error.startswith('ImportError: sb_mm: ')
    for part in ('mmengine is not installed', 'mmcv is not installed',
                 'none of mmdet, mmseg, mmpretrain', 'onedl-mmdetection'):
        assert part in error


@pytest.mark.parametrize('name', ['mmdet', 'mmseg', 'mmpretrain'])
def test_any_one_toolbox_is_enough(name):
    others = {'mmdet', 'mmseg', 'mmpretrain'} - {name}
    before = ('import sys; sys.modules.update('
              f'{", ".join(f"{other}=None" for other in sorted(others))})')
    after = (f'from {name}.registry import MODELS\n'
             'MODELS.build(dict(type="SBResNet", depth=18))')
    result = run(sys.executable, f'{before}\nimport sb_mm\n{after}')
    assert not result.returncode, result.stdout


def test_version_out_of_range_is_named(tmp_path):
    package = tmp_path / 'mmseg'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / 'version.py').write_text("__version__ = '0.30.0'")
    result = run(sys.executable, path=[tmp_path])
    assert result.returncode
    assert ('mmseg 0.30.0 is installed, >=1.2.0,<2.0.0 is needed'
            in result.stdout.splitlines()[-1])


def test_transformers_that_mmpretrain_does_not_know(tmp_path):
    (tmp_path / 'transformers').mkdir()
    (tmp_path / 'transformers/__init__.py').write_text(  # PyTorch 2.1 asks
        'class configuration_utils:\n    class PretrainedConfig:\n        pass')
    info = tmp_path / 'transformers-5.0.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\n'
                                   'Name: transformers\nVersion: 5.0.0\n')
    result = run(sys.executable, path=[tmp_path])
    assert result.returncode
    assert 'needs transformers<5' in result.stdout.splitlines()[-1]


def test_brings_the_models_and_nothing_heavy():
    """What the data set, the analysis and the pictures need stays out, where
    no toolbox brings it along."""
    result = run(
        sys.executable, """
import sys
hidden = ('mmdet', 'mmseg', 'pycocotools', 'scipy')
sys.modules.update(dict.fromkeys(hidden))
import mmpretrain.models
before = set(sys.modules)
import sb_mm
for name in ('sb_mm.beacons', 'sb_mm.analysis', 'sb_mm.visualization'):
    assert name not in sys.modules, name
for name in ('cv2', 'matplotlib', 'rich', 'prettytable'):
    assert name in before or name not in sys.modules, name
""")
    assert not result.returncode, result.stdout


def test_the_versions_are_said_alike():
    """By the package, its metadata and the documents."""
    said = 'Python {}.{} to {}.{}'.format(*PYTHONS[0], *PYTHONS[-1])
    assert said in (ROOT / 'README.md').read_text()
    text = (ROOT / 'docs/versions.md').read_text()
    for python in PYTHONS:
        assert '| {}.{}.'.format(*python) in text
    for name, (_, low, high) in {**FOUNDATIONS, **TOOLBOXES}.items():
        assert f'| {name} | ≥ {low}, < {high} |' in text
    assert metadata('sb-mm')['Requires-Python'] == '>={}.{}'.format(
        *PYTHONS[0])
