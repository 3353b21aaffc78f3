"""The script behind make benchmark, on data of two images a class."""
import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from conftest import ROOT, tool_env

from sb_mm.analysis.kept_runs import read_runs
from sb_mm.analysis.work_dirs import Experiment
from sb_mm.apis.checks import read_config


@pytest.fixture
def checkout(tmp_path):
    for name in ('tools', 'configs', 'sb_mm'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'docs').mkdir()
    for document in ('README.md', 'docs/comparison.md'):
        shutil.copy(ROOT / document, tmp_path / document)
    return tmp_path


def benchmarks(checkout, *names, **env):
    return subprocess.run(
        [checkout / 'tools/benchmarks.sh', *names], env=tool_env(**env), text=True,
        cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.long
def test_short(checkout):
    random = np.random.default_rng(0)
    for split in ('train', 'test'):
        for name in 'abcdefghij':
            folder = checkout / 'data/cifar10' / split / name
            folder.mkdir(parents=True)
            for i in range(2):
                cv2.imwrite(str(folder / f'{i}.png'),
                            random.integers(0, 256, (32, 32, 3), np.uint8))
    tables = checkout / 'tables/cifar10'
    (tables / 'speed').mkdir(parents=True)  # takes half a minute to measure
    (tables / 'speed/results.json').write_text(json.dumps({'rows': [
        {'config': name, 'ratio to the first': 1, 'status': 'ok'}
        for name in ('r20_cifar10', 'sb_r20_cifar10')]}))
    # a run of another day
    (tables / 'breakdown').mkdir()
    (tables / 'breakdown/values.csv').write_text(
        'config,seed,group,metric,value,over_images\n'
        'r20_cifar10,7,all,top-1,0.25,\n')
    short = dict(SHORT='1', JOBS='2', TABLES='tables',
                 OPTIONS='default_hooks.logger.interval=7')
    result = benchmarks(checkout, 'cifar10', **short)
    assert not result.returncode, result.stdout
    assert not list(checkout.glob('docs/*/*'))
    for table in ('runs.csv', 'breakdown/values.csv'):
        rows = (tables / table).read_text()
        assert 'r20_cifar10,0,' in rows and 'sb_r20_cifar10,0,' in rows
    assert 'r20_cifar10,7,' in rows
    used, = checkout.glob('work_dirs/*/*/sb_r20_cifar10/seed_0/*.py')
    assert 'interval=7' in used.read_text()
    assert (tables / 'cost_top_1.png').is_file()
    assert 'sb_r20_cifar10' in (checkout / 'tables/table.md').read_text()

    # elsewhere, where the tables are all that is there of them
    shutil.rmtree(checkout / 'work_dirs')
    runs = (tables / 'runs.csv').read_text()
    result = benchmarks(checkout, 'cifar10', **short)
    assert not result.returncode, result.stdout
    assert not (checkout / 'work_dirs').exists()
    assert (tables / 'runs.csv').read_text() == runs


def test_what_is_missing(checkout):
    (checkout / 'data/dsb2018').mkdir(parents=True)
    for name, message in (('imagenet', 'no benchmark imagenet'),
                          ('camvid', 'no data/camvid; tools/dataset_'),
                          ('nuclei_pretrained', 'no data/open_nsfw_r50.pth')):
        result = benchmarks(checkout, name)
        assert result.returncode == 2 and f'error: {message}' in result.stdout


@pytest.mark.parametrize(
    'folder', sorted((ROOT / 'configs/benchmarks').iterdir()),
    ids=lambda folder: folder.name)
def test_rows_differ_in_the_backbone_alone(folder):
    """And the runs that the tables are of have the configs as they are."""
    digests = {path.stem: Experiment(read_config(str(path))).digests
               for path in folder.glob('*.py')}
    backbones, others = zip(*digests.values())
    assert len(set(backbones)) == len(digests) > 1 == len(set(others))
    for run in read_runs(ROOT / 'docs/benchmarks' / folder.name):
        assert run.digests == digests[run.name]
