import csv
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import mmseg
import pytest
from conftest import CLS_CONFIG, DEMO, ROOT
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from sb_mm.analysis import (benchmark, compare, context_gain, run_matrix,
                            summarize_benchmarks, summarize_performance)
from sb_mm.analysis.complexity import (count_complexity, count_flops,
                                       image_shape)
from sb_mm.analysis.kept_runs import read_runs
from sb_mm.analysis.work_dirs import Experiment, Run
from sb_mm.apis import InputError
from sb_mm.models import SpatialBias
from sb_mm.utils.picture import network_styles
from sb_mm.utils.table import write_csv

PLAIN, PLUGIN = (
    ROOT / f'configs/comparison/maskrcnn_{name}_beacons.py'
    for name in ('r50', 'sb_plugin_r50'))
OTHER = ROOT / 'configs/probe/maskrcnn_sb_r50_beacons.py'


@pytest.mark.long
def test_matrix_trains_skips_and_resumes(run_tool, tiny, tmp_path):
    folder = tmp_path / 'matrix'
    options = [
        '--cfg-options', *tiny, 'train_cfg.max_iters=2',
        'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1',
        'model.backbone.depth=50', 'model.neck.in_channels=[32,64,128,256]'
    ]
    whole, half = (folder / PLUGIN.stem / f'seed_{seed}' for seed in (0, 1))
    result = run_tool('train.py', PLUGIN, '--work-dir', half, *options,
                      'randomness.seed=1')
    assert not result.returncode, result.stdout
    (half / 'iter_2.pth').unlink()
    (half / 'last_checkpoint').write_text(str(half / 'iter_1.pth'))
    assert Run(half).status == 'unfinished: iteration 1 of 2'

    command = ['run_matrix.py', PLUGIN, '--test', '--seeds', 0, 1]
    result = run_tool(*command, '--work-dir', folder, *options)
    assert not result.returncode, result.stdout
    with open(folder / 'table.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['config'] for row in rows] == [PLUGIN.stem]
    for row in rows:
        assert row['seeds'] == '0, 1' and row['status'] == 'finished'
        assert row['split'] == 'test'
        assert re.fullmatch(r'\d\.\d{3} ± \d\.\d{3}', row['box AP'])
        assert not row.get('differs in')
    assert (folder / 'curves.png').stat().st_size > 10_000
    assert (folder / 'table.md').read_text().count('\n') == 3
    assert (half / 'predictions.segm.json').is_file()
    logs = [(run / 'output.txt').read_text() for run in (whole, half)]
    assert 'resumed epoch: 0, iter: 1' in logs[1] and 'resumed' not in logs[0]
    assert Run(half).status == 'finished'

    result = run_tool(*command, '--work-dir', folder, *options)
    assert not result.returncode, result.stdout
    assert logs == [(run / 'output.txt').read_text() for run in (whole, half)]
    # elsewhere the table is enough, but not with other settings
    command += ['--work-dir', 'other', '--out', folder, '--keep', *options]
    result = run_tool(*command)
    assert not result.returncode, result.stdout
    assert not (tmp_path / 'other').exists()
    result = run_tool(*command, 'train_dataloader.batch_size=0', '--seeds', 0)
    assert result.returncode == 1 and 'failed, see' in result.stdout
    assert 'seed_0: error: ' in result.stdout
    # what is there has other settings
    for option in 'optim_wrapper.optimizer.lr=1.', 'load_from=plain.pth':
        result = run_tool('run_matrix.py', PLUGIN, '--work-dir', folder,
                          '--seeds', 0, *options, option)
        assert result.returncode == 2
        assert (f'{PLUGIN.stem}/seed_0 has a run with another '
                f'{option.split("=")[0]}: give another' in result.stdout)


@pytest.mark.parametrize('flags, setting, message', [
    (['--seeds', -1], 'seed=0', 'error: --seeds must be at least 0, but is -1'),
    (['--jobs', 0], 'seed=0', 'error: --jobs must be at least 1, but is 0'),
    (['--test'], 'test_dataloader.dataset.data_root=nowhere',
     'error: nowhere (test_dataloader.dataset.data_root) does not exist'),
    ([], 'model.backbone.dept=50',
     'error: model.backbone.dept: SBResNet has no such argument'),
])
def test_matrix_that_cannot_be_run(run_tool, tiny, tmp_path, flags, setting,
                                   message):
    """Nothing is trained."""
    result = run_tool('run_matrix.py', DEMO, '--work-dir', 'matrix', *flags,
                      '--cfg-options', *tiny, setting)
    assert result.returncode == 2
    assert f'\n{message}' in f'\n{result.stdout}'
    assert not (tmp_path / 'matrix').exists()


def test_compare_averages_nothing_that_differs(trained, tmp_path, monkeypatch):
    """Copies of a real run, with metrics that can be checked."""
    figures, savefig = {}, Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, path: (
        figures.update({Path(path).name: self}), savefig(self, path)))

    def copy(name, seed, value, config='plain', old='', new=''):
        path = tmp_path / name
        shutil.copytree(trained, path)
        dumped, = path.glob('*.py')
        text = dumped.read_text()
        assert old in text
        dumped.unlink()
        (path / f'{config}.py').write_text(text.replace(old, new, 1))
        log, = path.glob('*/*.log')
        log.write_text(log.read_text().replace('seed: 0', f'seed: {seed}'))
        with next(path.glob('*/vis_data/scalars.json')).open('a') as file:
            # and a line that a crash cut off
            file.write(f'{{"coco/bbox_mAP": {value}, "coco/bbox_mAP/20-40": '
                       f'{value}, "step": 0}}\n{{"loss": 1.')
        return path

    runs = [
        copy('a', 0, .25),
        copy('b', 1, .75),
        copy('c', 0, .5, 'sb'),
        copy('d', 1, .1, old='batch_size=2', new='batch_size=3'),
        copy('e', 1, .9)
    ]
    (runs[4] / 'last_checkpoint').unlink()
    speed = tmp_path / 'results.json'
    speed.write_text(json.dumps({'rows': [
        {'config': name, 'ratio to the first': ratio, 'status': 'ok'}
        for name, ratio in (('plain', 1), ('sb', .9))]}))
    rows = compare(runs, tmp_path / 'out', shape=(64, 64), speed=speed)
    with open(tmp_path / 'out/curves.csv', newline='') as file:
        curves = list(csv.DictReader(file))
    assert {(row['config'], row['seed']) for row in curves} == {
        ('plain', '0'), ('plain', '1'), ('plain (d)', '1'), ('sb', '0')}
    assert sum(bool(row['training loss']) for row in curves) == (
        4 * len(Run(trained).losses))
    assert (tmp_path / 'out/cost_box_AP.png').stat().st_size > 10_000
    loss, box = figures['curves.png'].axes
    assert [axis.get_title() for axis in (loss, box)] == [
        'training loss', 'box AP']
    assert len(loss.lines) == len(rows)
    for line in loss.lines:
        assert dict(line.get_xydata()) == pytest.approx(Run(trained).losses)
    # of one evaluation, the mean, the least and the most of the seeds
    assert [(each.get_label(), *(line.get_ydata()[0] for line in (
        each.lines[0], *each.lines[1]))) for each in box.containers] == [
            ('plain', .5, .25, .75), ('plain (d)', .1, .1, .1),
            ('plain', .9, .9, .9), ('sb', .5, .5, .5)]
    assert [(row['config'], row['seeds'], row['box AP'], row['Δ box AP'])
            for row in rows] == [('plain', '0, 1', '0.500 ± 0.354', ''),
                                 ('plain (d)', '1', '0.100', '-0.650'),
                                 ('plain', '1', '0.900', '+0.150'),
                                 ('sb', '0', '0.500', '+0.250')]
    assert [row['status'] for row in rows] == [
        'finished', 'finished', 'unfinished: iteration 0 of 4', 'finished']
    assert rows[1]['differs in'] == 'train_dataloader.batch_size'
    assert not any(rows[i]['differs in'] for i in (0, 2, 3))
    # the runs themselves may be gone, but for what is new
    new = copy('f', 1, .75, 'sb')
    kept = compare([new], tmp_path / 'out', 'plain', keep=True)
    assert [(row['config'], row['seeds'], row['box AP'], row['Δ box AP'],
             row['differs in']) for row in kept] == [
                 ('plain', '0, 1', '0.500 ± 0.354', '', ''),
                 ('plain (d)', '1', '0.100', '-0.650',
                  'settings that were not kept'),
                 ('sb', '0, 1', '0.625 ± 0.177',
                  '+0.125 [-1.463, +1.713] level', '')]
    for key in ('parameters (M)', 'multiply-adds (G, 64×64)', 'minutes'):
        assert kept[0][key] == rows[0][key]
    minutes = [run.minutes for run in read_runs(tmp_path / 'out')]
    assert minutes == [Run(trained).minutes] * len(minutes)  # to the last digit
    other = copy('g', 0, .7, 'other', old='batch_size=2', new='batch_size=3')
    *others, row = compare([other], tmp_path / 'out', 'plain', keep=True)
    assert row['differs in'] == 'settings that were not kept'
    assert others == kept
    # each to each, but for what differs in more than the backbone
    assert not (tmp_path / 'out/pairs.csv').exists()
    third = [copy('h', 0, .75, 'a'), copy('i', 1, .75, 'a')]
    rows = compare(third, tmp_path / 'out', 'plain', keep=True)
    assert [row['config'] for row in rows] == [
        'plain', 'plain (d)', 'sb', 'other', 'a']
    with open(tmp_path / 'out/pairs.csv', newline='') as file:
        pairs = [row for row in csv.DictReader(file)
                 if row['metric'] == 'box AP']
    assert [(row['config'], row['to plain'], row['to sb'])
            for row in pairs] == [
                ('sb', '+0.125 [-1.463, +1.713] level', ''),
                ('a', '+0.250 [-2.927, +3.427] level',
                 '+0.125 [-1.463, +1.713] level')]
    picture = (tmp_path / 'out/distance.png').read_bytes()
    assert compare([], tmp_path / 'out', 'plain', keep=True) == rows
    assert (tmp_path / 'out/distance.png').read_bytes() == picture
    with pytest.raises(ValueError, match='no run to compare'):
        compare([], tmp_path / 'nothing', keep=True)
    with pytest.raises(ValueError, match='--keep needs --out'):
        compare([], keep=True)
    for log in runs[0].glob('*/vis_data/scalars.json'):
        log.write_text(log.read_text().replace('bbox_mAP', 'other').replace(
            'segm_mAP', 'other'))
    # metrics of any evaluator count, under their own names
    row, = compare(runs[:1], shape=(64, 64))
    assert row['status'] == 'finished' and 'box AP' not in row
    assert row['coco/other'] == '0.250' and row['Δ coco/other'] == ''
    for log in runs[0].glob('*/vis_data/scalars.json'):
        log.write_text(''.join(
            line for line in log.read_text().splitlines(True)
            if 'other' not in line))
    row, = compare(runs[:1], shape=(64, 64))
    assert row['status'] == 'not evaluated' and 'box AP' not in row
    with pytest.raises(ValueError, match='no run of the baseline gone'):
        compare(runs, baseline='gone')
    speed.write_text(speed.read_text().replace('plain', 'sb'))
    with pytest.raises(ValueError, match='several sizes of one config'):
        compare(runs, speed=speed)
    speed.write_text('{"rows": []}')
    with pytest.raises(ValueError, match='has none of these configs'):
        compare(runs[:1], shape=(64, 64), speed=speed)
    with pytest.raises(FileNotFoundError, match='no work dir'):
        compare([tmp_path / 'out'])


def test_later_evaluation_of_the_last_checkpoint_counts(
        run_tool, tiny, trained, tmp_path):
    path = tmp_path / 'run'
    shutil.copytree(trained, path)
    log, = path.glob('*/vis_data/scalars.json')
    log.write_text(''.join(
        line for line in log.read_text().splitlines(True) if 'mAP' not in line))
    assert not Run(path).metrics
    for name, ap in (('iter_2.pth', None), ('iter_4.pth', 'box AP')):
        result = run_tool('test.py', DEMO, path / name, '--work-dir', path,
                          '--cfg-options', *tiny)
        assert not result.returncode, result.stdout
        metrics = Run(path).last
        assert (ap in metrics) == bool(ap)
        assert not Run(path).metrics  # the curve is that of the validation
    printed = re.search(r'^coco/bbox_mAP: (.*)', result.stdout, re.M)[1]
    assert metrics['box AP'] == float(printed)


def age(work_dir, second):
    """Two runs of one second would share a folder, which only tests do."""
    max(work_dir.glob('2*')).rename(work_dir / f'20200101_00000{second}')


def test_a_work_dir_that_was_tested_over_views(run_tool, tiny_cls,
                                               trained_cls, tmp_path):
    """Its config has the wrapped model from then on."""
    plain, views = tmp_path / 'a', tmp_path / 'b'
    for path, options in ((plain, []), (views, ['--tta'])):
        shutil.copytree(trained_cls, path)
        age(path, 1)
        result = run_tool('test.py', CLS_CONFIG, path / 'iter_4.pth',
                          '--work-dir', path, *options, '--cfg-options',
                          *tiny_cls)
        assert not result.returncode, result.stdout
    rows = compare([plain, views])
    assert [row['split'] for row in rows] == ['test', 'test']
    assert len({row['parameters (M)'] for row in rows}) == 1
    assert rows[1]['differs in'] == (
        'test_dataloader.dataset.pipeline, tta_model.type, tta_pipeline')
    assert Run(views).differences(Run(views)) == []


def test_a_training_that_began_anew(run_tool, tiny_cls, trained_cls,
                                    tmp_path):
    """In a work dir that has a longer one, whose weights of the same name
    were tested."""
    path = tmp_path / 'run'
    shutil.copytree(trained_cls, path)
    age(path, 1)
    options = '--work-dir', path, '--cfg-options', *tiny_cls
    result = run_tool('test.py', CLS_CONFIG, path / 'iter_2.pth', *options)
    assert not result.returncode, result.stdout
    age(path, 2)
    assert max(Run(path).losses) == 4
    result = run_tool('train.py', CLS_CONFIG, *options, 'train_cfg.max_iters=2',
                      'train_cfg.val_interval=2', 'randomness.seed=7')
    assert not result.returncode, result.stdout
    run = Run(path)
    assert list(run.losses) == [1, 2] and list(run.metrics) == [2]
    assert run.status == 'finished' and run.seed == 7 and not run.tested
    age(path, 3)
    (path / 'iter_4.pth').unlink()
    result = run_tool('train.py', CLS_CONFIG, '--resume', *options,
                      'randomness.seed=7')
    assert not result.returncode, result.stdout
    assert list(Run(path).losses) == [1, 2, 3, 4]
    assert list(Run(path).metrics) == [2, 4]


def test_early_stopping_is_no_failure(run_tool, tiny_cls, tmp_path):
    (tmp_path / 'early.py').write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
custom_hooks = [dict(
    type='EarlyStoppingHook', monitor='accuracy/top1', patience=1)]
optim_wrapper = dict(optimizer=dict(lr=0.))
""")
    result = run_tool(
        'run_matrix.py', 'early.py', '--seeds', 0, '--work-dir', 'runs',
        '--cfg-options', *tiny_cls, 'train_cfg.max_iters=8',
        'train_cfg.val_interval=2')
    assert not result.returncode, result.stdout
    run = Run(tmp_path / 'runs/early/seed_0')
    assert run.status == 'finished' and run.planned == 4
    assert list(run.metrics) == [2, 4]
    # a metric that is not finite is no end
    log, = run.path.glob('*/*.log')
    log.write_text(log.read_text().replace('did not improve', 'is infinite'))
    assert Run(run.path).status == 'unfinished: iteration 4 of 8'


def test_checkpoints_by_the_other_unit(run_tool, tiny_cls, tmp_path):
    """Those of iterations in a loop of epochs, in a folder of their own, and
    of an epoch in a loop of iterations."""
    options = [each for each in tiny_cls if not each.startswith((
        'train_cfg', 'default_hooks.checkpoint'))]
    (tmp_path / 'epochs.py').write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
train_dataloader = dict(sampler=dict(
    _delete_=True, type='DefaultSampler', shuffle=True))
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=3, out_dir='checkpoints'))
log_processor = dict(by_epoch=True)
""")
    (tmp_path / 'iterations.py').write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=1))
""")
    runs = []
    for name in ('epochs', 'iterations'):
        result = run_tool('train.py', f'{name}.py', '--work-dir', name,
                          '--cfg-options', *options)
        assert not result.returncode, result.stdout
        runs.append(Run(tmp_path / name))
    assert [run.last_checkpoint for run in runs] == ['iter_8', 'epoch_1']
    assert [run.reached for run in runs] == [2, 2]
    assert [run.status for run in runs] == ['finished'] * 2
    pointer = tmp_path / 'epochs/last_checkpoint'
    assert (tmp_path / runs[0].weights).samefile(
        tmp_path / 'checkpoints/epochs/iter_8.pth')
    pointer.write_text('checkpoints/epochs/iter_6.pth')
    assert Run(tmp_path / 'epochs').status == 'unfinished: epoch 1 of 2'
    pointer.unlink()  # the number of the folder is none of a checkpoint
    other = tmp_path / 'seed_9'
    (tmp_path / 'epochs').rename(other)
    assert Run(other).status == 'unfinished: epoch 0 of 2'
    with pytest.raises(ValueError, match='epochs.py has .*checkpoint.out_dir'):
        run_matrix([str(tmp_path / 'epochs.py')], [0], tmp_path / 'runs')


def test_scalars_that_nothing_would_write(tmp_path):
    config = tmp_path / 'board.py'
    config.write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
visualizer = dict(vis_backends=[dict(type='TensorboardVisBackend')])
""")
    with pytest.raises(ValueError, match='board.py has no LocalVisBackend'):
        run_matrix([str(config)], [0], tmp_path / 'runs')


def test_a_run_that_is_killed(tiny_cls, tmp_path, monkeypatch, capsys):
    """It has no last words; those of the attempt before it are not its."""
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    (tmp_path / 'killer.py').write_text("""
import os
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillerHook(Hook):

    def after_train_iter(self, *args, **kwargs):
        os.kill(os.getpid(), 9)
""")
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / 'killed.py'
    config.write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
custom_imports = dict(imports=['sb_mm.beacons', 'killer'])
custom_hooks = [dict(type='KillerHook')]
""")
    path = tmp_path / 'runs/killed/seed_0'
    path.mkdir(parents=True)
    (path / 'output.txt').write_text('error: of yesterday\n')
    row, = run_matrix([str(config)], [0], tmp_path / 'runs',
                      cfg_options=tiny_cls)
    assert row['status'].startswith('failed, see')
    printed = capsys.readouterr().out
    assert f'{path}: ended by SIGKILL after: ' in printed
    assert 'yesterday' not in printed


def test_a_config_in_json_is_refused(trained_cls, tmp_path):
    config, = trained_cls.glob('*.py')
    Config.fromfile(config).dump(tmp_path / 'mine.json')
    with pytest.raises(ValueError, match='mine.json: .* as .py or .yaml'):
        run_matrix([str(tmp_path / 'mine.json')], [0], tmp_path / 'runs')


def test_a_network_that_cannot_be_counted(trained_cls, tmp_path, capsys):
    """Such as one with operators for GPUs alone: everything else is there."""
    path = tmp_path / 'run'
    shutil.copytree(trained_cls, path)
    config, = path.glob('*.py')
    config.write_text(config.read_text().replace(
        "type='LinearClsHead'", "type='Nowhere'"))
    for again in (compare([path], tmp_path / 'out'),
                  compare([], tmp_path / 'out', keep=True)):
        row, = again
        assert row['status'] == 'finished' and 'top-1 (%)' in row
        assert not [key for key in row if re.search('param|multiply', key)]
    printed = capsys.readouterr().out
    assert printed.count('is not counted: ') == 1 and 'Nowhere' in printed


@pytest.mark.parametrize('config', [
    'mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py',
    'point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py'])
def test_heads_that_want_the_size_of_the_image(config):
    """The forward pass to tensors, which is counted elsewhere, fails."""
    cfg = Config.fromfile(Path(mmseg.__file__).parent / '.mim/configs' / config)
    cfg.model.update(pretrained=None)
    backbone = dict(cfg.model.backbone, init_cfg=None)
    parameters, flops = [], []
    for name in ('mmseg.', 'mmseg.SB'):
        cfg.model.backbone = dict(backbone, type=name + backbone['type'])
        counted = count_complexity(cfg, (64, 64))
        alone = MODELS.build(cfg.model.backbone)
        parameters.append(counted[0] - sum(
            each.numel() for each in alone.parameters()))
        flops.append(counted[1])
    assert parameters[0] == parameters[1]  # of neck and heads
    assert 1 < flops[1] / flops[0] < 1.02


def test_without_a_validation(tiny_cls, tmp_path):
    config = tmp_path / 'blind.py'
    config.write_text(f"""
_base_ = {str(CLS_CONFIG)!r}
val_dataloader = val_evaluator = val_cfg = None
""")
    options = [each for each in tiny_cls if 'val_dataloader' not in each]
    for test, status in ((False, 'not evaluated'), (True, 'finished')):
        row, = run_matrix([str(config)], [0], tmp_path / 'runs', test=test,
                          cfg_options=options)
        assert row['status'] == status
        assert ('top-1 (%)' in row) == test
    with pytest.raises(InputError, match='blind.py has no val_dataloader'):
        context_gain(str(config))


def test_a_config_in_yaml(trained_cls, tmp_path):
    path = tmp_path / 'run'
    shutil.copytree(trained_cls, path)
    config, = path.glob('*.py')
    Config.fromfile(config).dump(path / 'mine.yaml')
    config.unlink()
    row, = compare([path], shape=(64, 64))
    assert row['config'] == 'mine' and row['status'] == 'finished'
    assert Run(path).digests == Run(trained_cls).digests


def test_flops_count_the_operations_of_sb():
    size, c, m, t, k = 32, 16, 3, 3, 6
    layer = SpatialBias(c, pool_size=k).eval()
    r = m + t - 1
    reduce = c * r * size**2 + 2 * r * size**2  # conv and BN
    pool = r * size * size * k + r * k * size * k
    mix = k**2 * k**2 * t * m
    resize = 4 * m * size**2 + 2 * m * size**2  # four neighbours each, and BN
    assert count_flops(layer, (c, size, size)) == reduce + pool + mix + resize


def test_get_flops(run_tool):
    result = run_tool('get_flops.py', PLAIN, PLUGIN, '--shape', 64, 64)
    assert not result.returncode, result.stdout
    assert 'never called' not in result.stdout  # the heads
    added = re.search(rf'{PLUGIN.stem}.*\+(\d+)', result.stdout)[1]
    # 4 blocks of 64 channels and 6 of 128 after conv2
    maps = 100 * 100 * 3 + 100 + 2 * 3 + 2 * 5
    assert int(added) == sum(
        count * (maps + 5 * c + 3 * c) for count, c in ((4, 64), (6, 128)))
    result = run_tool(
        'get_flops.py', ROOT / 'configs/sb_r38_cifar100.py', '--cfg-options',
        'train_dataloader.dataset.pipeline=[]')
    assert result.returncode == 1 and 'failed: the config does not say' in (
        result.stdout)


@pytest.mark.parametrize('flags', [['--fuse', '--channels-last'],
                                   ['--mode', 'train', '--dtype', 'bfloat16']])
def test_benchmark(run_tool, tmp_path, flags):
    for name, base in (('plain', PLAIN), ('plugin', PLUGIN)):
        # narrow, since processors without bfloat16 emulate it
        (tmp_path / f'{name}.py').write_text(
            f"_base_ = '{base}'\nmodel = dict(backbone=dict(base_channels=16))\n")
    result = run_tool('benchmark.py', 'plain.py', 'plugin.py', '--sizes', '64',
                      '96x64', '--batch-size', 2, '--rounds', 3, '--threads',
                      1, '--out', 'out', *flags)
    assert not result.returncode, result.stdout
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert results['settings']['rounds'] == 3
    rows = results['rows']
    assert [(row['config'], row['size (px)']) for row in rows] == [
        (name, size) for size in ('64×64', '96×64')
        for name in ('plain', 'plugin')
    ]
    for row in rows:
        assert row['images/s'] > 0
        assert .5 < row['memory ratio'] < 1.5
    assert {row['status'] for row in rows} == {'ok'}
    assert rows[0]['ratio to the first'] == 1
    assert rows[2]['ratio to the first'] == 1
    memory = [row['peak memory (MB)'] for row in rows]
    assert memory[2] > memory[0]
    assert (tmp_path / 'out/chart.png').stat().st_size > 10_000


def test_a_network_that_fails_is_a_row_that_says_so(run_tool, tmp_path):
    (tmp_path / 'broken.py').write_text(
        f"_base_ = '{PLAIN}'\nmodel = dict(backbone=dict(depth=19))\n")
    for tool, flags in (('benchmark.py', ['--rounds', 1, '--sizes', 64]),
                        ('get_flops.py', ['--shape', 64, 64])):
        result = run_tool(tool, PLAIN, 'broken.py', '--json', *flags)
        assert result.returncode == 1, result.stdout
        good, bad = json.loads(result.stdout[result.stdout.index('[\n {'):])
        assert good['status'] == 'ok' and good['parameters'] > 0
        assert bad['config'] == 'broken'
        assert 'invalid depth 19' in bad['status']


@MODELS.register_module()
class OneSize(nn.Conv2d):

    def __init__(self, size):
        super().__init__(3, 3, 1)
        self.size = size

    def forward(self, x):
        assert x.size(3) == self.size
        return super().forward(x)


def test_no_ratio_to_a_network_that_fails(tmp_path):
    configs = [tmp_path / f'of_{size}.py' for size in (64, 96)]
    for config, size in zip(configs, (64, 96)):
        config.write_text("default_scope = 'mmdet'\nmodel = dict(backbone=dict("
                          f"type='mmengine.OneSize', size={size}))\n")
    configs.insert(1, PLAIN)
    rows = benchmark(list(map(str, configs)), sizes=((64, 64), (96, 96)),
                     rounds=1, out=tmp_path / 'm/out')
    assert [i for i, row in enumerate(rows) if row['status'] == 'ok'] == [
        0, 1, 4, 5]
    assert rows[0]['ratio to the first'] == 1 and rows[1]['ratio to the first']
    assert rows[4]['ratio to the first'] == rows[5]['memory ratio'] == ''
    assert (tmp_path / 'm/out/chart.png').stat().st_size > 10_000
    small, large = summarize_performance(tmp_path / 'm')
    assert small['plain, images/s'] == rows[0]['images/s']
    assert not large['plain, images/s']


def test_json_is_all_that_goes_to_standard_output(tmp_path):
    result = subprocess.run([
        sys.executable, ROOT / 'tools/get_flops.py', PLAIN, PLUGIN, '--json',
        '--shape', '64', '64'], stdout=subprocess.PIPE, check=True)
    assert [row['config'] for row in json.loads(result.stdout)] == [
        PLAIN.stem, PLUGIN.stem]


def test_benchmark_gives_whole_models_the_same_weights(run_tool):
    flags = ['--whole', '--rounds', 1, '--threads', 1]
    result = run_tool('benchmark.py', PLAIN, PLUGIN, *flags)
    assert not result.returncode, result.stdout
    assert 'does not fit' not in ' '.join(result.stdout.split())
    result = run_tool('benchmark.py', PLAIN, OTHER, *flags)
    assert not result.returncode, result.stdout
    assert f'{OTHER.stem} does not fit' in result.stdout


def test_benchmark_refuses_what_does_not_go_together(run_tool):
    for flags in (['--mode', 'train', '--fuse'], ['--graph'],
                  ['--batch-size', 0], ['--sizes', 64, 0]):
        result = run_tool('benchmark.py', PLAIN, *flags)
        assert result.returncode == 2
        assert 'error: --' in result.stdout
        assert 'Traceback' not in result.stdout


@pytest.mark.parametrize('config, shape', [
    ('nuclei/maskrcnn_sb_r50_nuclei.py', (224, 224)),
    ('camvid/upernet_sb_r50_camvid.py', (192, 256)),
    ('cifar10/sb_r20_cifar10.py', (32, 32)),
    ('../sb_r38_cifar100.py', (32, 32))])
def test_size_of_images_that_are_tested_as_they_are(config, shape):
    cfg = Config.fromfile(ROOT / 'configs/benchmarks' / config)
    assert tuple(image_shape(cfg)) == shape


def test_size_of_images_of_a_wrapper_with_a_pipeline():
    """That of MMDetection's MultiImageMixDataset comes after the dataset's."""
    dataset = dict(type='CocoDataset', pipeline=[
        dict(type='Resize', scale=(64, 32))])
    mixed = dict(type='MultiImageMixDataset', dataset=dataset, pipeline=[
        dict(type='Resize', scale=(96, 48))])
    for each, shape in ((dataset, (32, 64)), (mixed, (48, 96)), (
            dict(type='RepeatDataset', dataset=dataset, times=2), (32, 64)), (
            dict(pipeline=[dict(type='ProposalBroadcaster', transforms=[
                dict(type='mmdet.Resize', scale=(64, 32))])]), (32, 64))):
        assert tuple(image_shape(Config(dict(
            model={}, train_dataloader=dict(dataset=each))))) == shape


def test_a_full_disk_leaves_what_was_kept(tmp_path):
    path = tmp_path / 'runs.csv'
    write_csv([dict(seed=0)], path)
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # of a file, bytes
    try:
        with pytest.raises(OSError):
            write_csv([dict(seed=seed) for seed in range(99)], path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text().split() == ['seed', '0']
    assert [each.name for each in tmp_path.iterdir()] == ['runs.csv']


def test_no_two_networks_look_alike():
    styles = network_styles(f'network {i}' for i in range(30))
    assert len({tuple(style.values()) for style in styles.values()}) == 30


def test_summary_of_benchmarks(tmp_path):
    def table(name, *lines):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'table.csv').write_text('\n'.join(
            ['config,status,box AP,Δ box AP,mask AP,Δ mask AP,seeds', *lines]))

    table('a', 'r20_a,finished,0.5,,0.4,,"0, 1"',
          'sb_r20_a,finished,0.6,+0.1 [..] ahead,0.4,+0.0 [..] level,"0, 1"',
          'gc_r16_r20_a,finished,0.7,+0.2,0.5,+0.1,0')
    table('b', 'mask_r50_b,finished,0.1,,,,0', 'mask_sb_r50_b,finished,0.2,+0.1,,,0')
    table('c', 'r20_c,finished,0.5,,,,0', 'sb_r20_c,unfinished,,,,,0')
    rows = summarize_benchmarks([tmp_path / 'a', tmp_path / 'b'], tmp_path)
    assert [tuple(row.values()) for row in rows] == [
        ('sb_r20_a', 'box AP', '0.5', '0.6', '+0.1 [..] ahead', '0, 1'),
        ('sb_r20_a', 'mask AP', '0.4', '0.4', '+0.0 [..] level', '0, 1'),
        ('mask_sb_r50_b', 'box AP', '0.1', '0.2', '+0.1', '0')]
    assert (tmp_path / 'table.md').read_text().count('\n') == 5
    with pytest.raises(ValueError, match='c has no finished .* it has r20_c'):
        summarize_benchmarks([tmp_path / 'a', tmp_path / 'c'])
    with pytest.raises(ValueError, match='it has no table.csv'):
        summarize_benchmarks([tmp_path / 'gone'])


def test_settings_are_those_before_a_test(trained, tmp_path):
    """tools/test.py writes the config of a work dir anew."""
    tested = tmp_path / 'tested'
    shutil.copytree(trained, tested)
    path, = tested.glob('*.py')
    cfg = Config.fromfile(path)
    assert isinstance(cfg.test_evaluator, dict)
    cfg.test_evaluator = [
        dict(cfg.test_evaluator, outfile_prefix='predictions'),
        dict(type='DumpResults', out_file_path='predictions.pkl')
    ]
    cfg.custom_hooks = [*cfg.get('custom_hooks', ()),
                        dict(type='LoadedWeightsHook', allow_missing=False)]
    cfg.dump(path)
    assert Run(tested).digests == Run(trained).digests
    cfg.test_evaluator = [dict(cfg.test_evaluator[0], metric='bbox')]
    cfg.dump(path)
    assert Run(tested).digests != Run(trained).digests


def test_in_channels_follow_from_the_backbone(trained):
    cfg = Run(trained).cfg
    backbone, others = Run(trained).digests
    cfg.model.neck.in_channels = [4, 8, 16, 32]
    assert Experiment(cfg).digests == (backbone, others)
    cfg.model.backbone.in_channels = 6  # of the images
    assert Experiment(cfg).digests[0] != backbone
