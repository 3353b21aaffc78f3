"""Mistakes of users end in one line that names them."""
import json
import shutil
import subprocess
import sys
from argparse import ArgumentParser

import cv2
import numpy as np
import pytest
import torch
from conftest import CLS_CONFIG as CLS
from conftest import DEMO, ROOT
from conftest import SEG_CONFIG as SEG
from mmengine.config import Config, DictAction

from sb_mm.apis import InputError
from sb_mm.apis.checks import read_config
from sb_mm.apis.errors import describe
from sb_mm.apis.signatures import check_settings


def parse(options):
    parser = ArgumentParser()
    parser.add_argument('--o', nargs='+', action=DictAction)
    return parser.parse_args(['--o', *options]).o


@pytest.mark.parametrize('config, options, message', [
    (DEMO, ['model.backbone.sb_stage="[True]"'],
     r'^model.backbone.sb_stage: SBResNet has no such argument; did you mean '
     r'sb_stages\?$'),
    (DEMO, ['model.backbone.type=SBResNte'],
     r'^model.backbone.type: there is no SBResNte in the scope mmdet; did you '
     'mean SBResNe'),
    (DEMO, ['model.backbone.type=SBResNetV1c'],
     r'did you mean mmseg.SBResNetV1c or mmpretrain.SBResNetV1c\?$'),
    (DEMO, ['model.rubbish=1'],
     r'^model.rubbish: MaskRCNN has no such argument; it has backbone, '),
    (SEG, ['model.decode_head.num_clases=3'],
     r'^model.decode_head.num_clases: .* did you mean num_classes\?$'),
    (SEG, ['train_dataloader.dataset.pipeline.0.type=LoadImage'],
     r'^train_dataloader.dataset.pipeline.0.type: .*LoadImageFromFile'),
    (CLS, ['val_dataloader.dataset.data_roots=x'],
     r'^val_dataloader.dataset.data_roots: .* did you mean data_root\?$'),
    (CLS, ['train_dataloader.dataset.pipeline.2.probability=1'],
     r'^train_dataloader.dataset.pipeline.2.probability: RandomFlip has no '),
    (CLS, ['default_hooks.logger.intervall=1'],
     r'^default_hooks.logger.intervall: .* did you mean interval\?$'),
    (CLS, ['param_scheduler.type=OneCycle'],
     r'^param_scheduler.type: there is no OneCycle .*OneCycleLR'),
])
def test_settings_against_signatures(config, options, message):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(parse(options))
    with pytest.raises(InputError, match=message):
        check_settings(cfg, 'train', 'val', 'test')


@pytest.mark.parametrize('config, kind', [
    (DEMO, 'Albu'), (SEG, 'mmdet.Albu'), (CLS, 'Albumentations')])
def test_transforms_of_another_library(config, kind):
    cfg = Config.fromfile(config)
    cfg.train_dataloader.dataset.pipeline.insert(1, dict(
        type=kind, transforms=[dict(type='OneOf', transforms=[
            dict(type='Blur', blur_limit=3)])]))
    check_settings(cfg, 'train')


def test_settings_in_the_scope_of_another_project(tmp_path, monkeypatch):
    """Such as MMRotate, whose parts are of several registries."""
    (tmp_path / 'project_of_a_user').mkdir()
    (tmp_path / 'project_of_a_user/registry.py').write_text("""
from mmengine.registry import TASK_UTILS as ROOT, Registry
TASK_UTILS = Registry('task util', parent=ROOT, scope='project_of_a_user')
TASK_UTILS.register_module(name='Coder', module=dict)
""")
    monkeypatch.syspath_prepend(tmp_path)
    for name, refused in dict(Coder=False, Coda=True).items():
        cfg = Config(dict(default_scope='project_of_a_user', model=dict(
            rpn_head=dict(bbox_coder=dict(type=name)))))
        if refused:
            with pytest.raises(InputError, match='no Coda in the scope'):
                check_settings(cfg)
        else:
            check_settings(cfg)


@pytest.mark.parametrize('text, message', [
    ("x = 1\nmodel = dict(depth=dept)",
     "config.py, line 2: NameError: name 'dept' is not defined"),
    ("x = 1\nmodel = dict(depth=50",
     "config.py, line 2: SyntaxError: '(' was never closed"),
    ("_base_ = './base.py'\nmodel = dict(depth={{_base_.depths}})",
     'config.py: KeyError: depths'),
    ("_base_ = './bases.py'", "config.py: [Errno 2] No such file or directory: "),
    ("_base_ = './wrong.py'", "wrong.py, line 1: NameError: name 'x' is not"),
    ("from mmengine.config import read_base\nwith read_base():\n"
     "    from .base import *\nmodel = dict(depth=dept)",
     "config.py, line 4: NameError: name 'dept' is not defined"),
])
def test_mistakes_in_a_config_file_name_its_line(tmp_path, text, message):
    config = tmp_path / 'config.py'
    config.write_text(text)
    (tmp_path / 'base.py').write_text('depth = 50')
    (tmp_path / 'wrong.py').write_text('depth = x')
    with pytest.raises(Exception) as caught:
        read_config(config)
    said = describe(caught.value).replace('/./', '/')
    assert said.startswith(f'{tmp_path}/{message}')


@pytest.mark.parametrize('text, message', [
    (None, "ModuleNotFoundError: No module named 'module_of_a_user'; "
     'custom_imports looks in the folders of PYTHONPATH'),
    ('import torch\nimport nowhere',
     "{}, line 2: ModuleNotFoundError: No module named 'nowhere'"),
    ('import torch\nx = y', "{}, line 2: NameError: name 'y' is not defined"),
    ('import torch\ndef f(:', '{}, line 2: SyntaxError: invalid syntax'),
])
def test_mistakes_in_a_module_of_custom_imports(
        tmp_path, monkeypatch, text, message):
    config, module = tmp_path / 'config.py', tmp_path / 'module_of_a_user.py'
    config.write_text("""custom_imports = dict(
    imports=['module_of_a_user'], allow_failed_imports=False)""")
    if text:
        module.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception) as caught:
        read_config(config)
    assert describe(caught.value) == f'{config}: {message.format(module)}'


def test_compiling_where_the_path_has_a_space(monkeypatch):
    error = RuntimeError('CppCompileError: C++ compile error\n\nCommand:\ng++')
    assert describe(error).startswith('RuntimeError: CppCompileError')
    monkeypatch.setattr(torch, '__file__', '/my projects/torch/__init__.py')
    assert describe(error).endswith('has a space: /my projects/torch')


def test_names_of_a_base_within_a_list(tmp_path):
    """MMEngine puts a word where {{_base_.NAME}} is part of an expression."""
    path = tmp_path / 'config.py'
    path.write_text(f"""
_base_ = '{CLS}'
train_dataloader = dict(dataset=dict(pipeline=[
    *{{{{_base_.pipeline}}}}, dict(type='PackInputs')]))
""")
    with pytest.raises(InputError, match="^train_dataloader.dataset.pipeline.0 "
                       "is '_', but a transform is a dict"):
        check_settings(Config.fromfile(path), 'train')


def error_of(result):
    """The one line, and what may follow it."""
    assert result.returncode == 2, result.stdout
    assert 'Traceback (most' not in result.stdout
    return result.stdout[result.stdout.index('error: '):].splitlines()


@pytest.mark.parametrize('options, message', [
    (['model.backbone.sb_stages="[True]"'],
     'error: model.backbone (SBResNet): sb_stages must have one bool for each '
     'of the 4 stages (num_stages), but got [True]'),
    (['model.backbone.sb_cfg.num_map=3'],
     "error: model.backbone (SBResNet): sb_cfg has unknown keys ['num_map']"),
    (['model.backbone.depth=19'],
     'error: model.backbone (SBResNet): KeyError: invalid depth 19'),
    (['train_dataloader.dataset.pipeline.3.prob=7.'],
     'error: train_dataloader.dataset.pipeline.3 (RandomFlip): '
     'AssertionError'),
])
def test_errors_of_building_name_the_part(run_tool, tiny, tmp_path, options,
                                          message):
    result = run_tool('train.py', DEMO, '--work-dir', 'work', '--cfg-options',
                      *tiny, *options)
    assert error_of(result)[0].startswith(message)
    result = run_tool('train.py', DEMO, '--debug', '--work-dir', 'work',
                      '--cfg-options', *tiny, *options)
    assert 'Traceback (most' in result.stdout


@pytest.mark.parametrize('tool', [
    ['train.py', DEMO], ['run_matrix.py', DEMO, '--seeds', 0]])
@pytest.mark.parametrize('setting', [
    'seed', 'a=[1,', "custom_hooks=[dict(type='EMAHook',momentum=0.1)]",
    'a=dict(b=1)'])
def test_settings_that_cannot_be_read(run_tool, tool, setting):
    result = run_tool(*tool, '--work-dir', 'work', '--cfg-options', 'a=1',
                      setting)
    assert result.returncode == 2
    assert (f'error: argument --cfg-options: {setting!r} cannot be read; '
            'KEY=VALUE, a list as') in result.stdout.splitlines()[-1]


def test_settings_in_two_flags(run_tool):
    """Both count, where they are handed on too."""
    result = run_tool(
        'run_matrix.py', DEMO, '--seeds', 0, '--work-dir', 'work',
        '--cfg-options', 'default_hooks.checkpoint.out_dir=x',
        '--cfg-options', 'randomness.deterministic=True')
    assert 'default_hooks.checkpoint.out_dir' in error_of(result)[0]


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture
def copy(beacons, tmp_path):
    """The scenes in a folder that may be spoilt."""
    return shutil.copytree(beacons, tmp_path / 'data')


def train_on(run_tool, config, options, beacons, copy):
    return run_tool(
        'train.py', config, '--work-dir', 'work', '--cfg-options',
        *(option.replace(str(beacons), str(copy)) for option in options))


def test_categories_that_do_not_fit(run_tool, tiny, beacons, copy):
    def rename(content):
        content['categories'][1]['name'] = 'cat'

    edit(copy / 'annotations/instances_training.json', rename)
    line = error_of(train_on(run_tool, DEMO, tiny, beacons, copy))[0]
    assert 'category that is missing' in line
    assert 'cat' in line.partition('it has')[2]


def test_no_images(run_tool, tiny, beacons, copy):
    edit(copy / 'annotations/instances_training.json',
         lambda content: content.update(images=[], annotations=[]))
    line = error_of(train_on(run_tool, DEMO, tiny, beacons, copy))[0]
    assert line.startswith('error: train_dataloader.dataset (BeaconsDataset): '
                           'no images: ann_file=')


def test_no_file_of_annotations(run_tool, tiny, beacons):
    lines = error_of(run_tool(
        'check_data.py', DEMO, '--cfg-options', *tiny,
        'train_dataloader.dataset.ann_file='))
    assert lines == ['error: train_dataloader.dataset has no ann_file, the '
                     'file of its annotations']


def test_number_of_classes_of_the_head(run_tool, tiny):
    result = run_tool('train.py', DEMO, '--work-dir', 'work', '--cfg-options',
                      *tiny, 'model.roi_head.bbox_head.num_classes=5')
    assert error_of(result)[0] == (
        'error: roi_head.bbox_head.num_classes is 5, but BeaconsDataset has 6 '
        'classes')


@pytest.mark.parametrize('workers', [0, 1])
def test_damaged_image_is_named(run_tool, tiny, beacons, copy, workers):
    for image in (copy / 'images/training').iterdir():
        image.write_bytes(b'no image')
    options = [
        option if 'num_workers' not in option else
        f'{option.partition("=")[0]}={workers}' for option in tiny
    ]
    line = error_of(train_on(run_tool, DEMO, options, beacons, copy))[0]
    assert f'{copy}/images/training/0' in line
    assert '.jpg cannot be read (' in line
    assert 'it belongs to img_id=' in line and 'instances' in line


def test_damaged_and_wrong_labels_are_named(run_tool, tiny_seg, beacons,
                                            copy):
    masks = sorted((copy / 'annotations/training').iterdir())
    for mask in masks:
        cv2.imwrite(str(mask), np.full((64, 64), 77, np.uint8))
    line = error_of(train_on(run_tool, SEG, tiny_seg, beacons, copy))[0]
    assert f'{copy}/annotations/training/0' in line
    assert 'has the label 77' in line.replace('76', '77')
    for mask in masks:
        mask.write_bytes(b'')
    line = error_of(train_on(run_tool, SEG, tiny_seg, beacons, copy))[0]
    assert '.png cannot be read (' in line and 'img_path=' in line


@pytest.mark.parametrize('tool', ['train.py', 'context_gain.py'])
def test_part_of_a_config(run_tool, tmp_path, tool):
    """Such as one of data alone, which others inherit from."""
    (tmp_path / 'part.py').write_text(
        "default_scope = 'mmdet'\nval_dataloader = dict("
        "dataset=dict(type='BaseDetDataset'))")
    result = run_tool(tool, 'part.py', '--work-dir', 'work')
    assert error_of(result) == ['error: the config part.py has no model']


def test_unexpected_errors_leave_their_traceback(run_tool, tiny_cls, tmp_path):
    (tmp_path / 'failing.py').write_text("""
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class FailingHook(Hook):
    def after_train_iter(self, runner, batch_idx, **kwargs):
        if batch_idx == 2:
            raise RuntimeError('as it happens')
""")
    (tmp_path / 'config.py').write_text(f"""
_base_ = '{CLS}'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons', 'failing'], allow_failed_imports=False)
custom_hooks = [dict(type='FailingHook')]
""")
    result = run_tool('train.py', 'config.py', '--work-dir', 'work',
                      '--cfg-options', *tiny_cls, pythonpath=tmp_path)
    lines = error_of(result)
    assert lines[0] == 'error: RuntimeError: as it happens'
    assert lines[1] == '  Its traceback is in work/traceback.txt.'
    assert lines[2].startswith('  --resume goes on from ')
    assert lines[2].endswith('iter_2.pth.')
    text = (tmp_path / 'work/traceback.txt').read_text()
    assert "raise RuntimeError('as it happens')" in text


@pytest.mark.parametrize('tool', ['check_data.py', 'make_beacons.py'])
def test_environment_that_is_not_active(tool):
    # without the packages of the environment (-S), and of PYTHONPATH (-E)
    result = subprocess.run(
        [sys.executable, '-ES', ROOT / 'tools' / tool, 'x'],
        stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert 'No module named' in result.stderr
    assert 'is the environment active?' in result.stderr
    assert 'Traceback' not in result.stderr
