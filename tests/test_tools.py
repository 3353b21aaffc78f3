import csv
import gc
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path

import cv2
import pytest
import torch
from conftest import CLS_CONFIG
from conftest import DEMO as CONFIG
from conftest import ROOT, SEG_CONFIG, Bomb, free_port, tool_env

from sb_mm.apis import config

COCO = ROOT / 'configs/maskrcnn_sb_r50_coco.py'


def test_resume_goes_on_from_the_checkpoint(run_tool, tiny, trained,
                                            tmp_path):
    checkpoint = trained / 'iter_4.pth'
    result = run_tool('train.py', CONFIG, '--work-dir', tmp_path / 'more',
                      '--resume', checkpoint, '--cfg-options', *tiny,
                      'train_cfg.max_iters=5',
                      'default_hooks.checkpoint.interval=1')
    assert not result.returncode, result.stdout
    assert 'resumed epoch: 0, iter: 4' in result.stdout
    iterations = re.findall(r'Iter\(train\) \[(\d+)/5\]', result.stdout)
    assert iterations == ['5']
    before, after = (
        torch.load(path, weights_only=False)['optimizer']['state']
        for path in (checkpoint, tmp_path / 'more/iter_5.pth'))
    assert before.keys() == after.keys()
    assert {int(state['step']) for state in before.values()} == {4}
    assert {int(state['step']) for state in after.values()} == {5}


def test_resume_without_a_checkpoint_begins_as_the_config_says(
        run_tool, tiny, trained, tmp_path):
    result = run_tool('train.py', CONFIG, '--work-dir', tmp_path / 'new',
                      '--resume', '--cfg-options', *tiny,
                      'train_cfg.max_iters=1',
                      f'load_from={trained / "iter_4.pth"}')
    assert not result.returncode, result.stdout
    assert f'Load checkpoint from {trained / "iter_4.pth"}' in result.stdout
    assert 'resumed epoch' not in result.stdout


@pytest.mark.parametrize('damage', ['empty note', 'no note', 'cut off'])
def test_resume_finds_the_newest_sound_checkpoint(trained, tmp_path, capsys,
                                                  damage):
    shutil.copytree(trained, tmp_path / 'work')
    note = tmp_path / 'work/last_checkpoint'
    newest = tmp_path / 'work/iter_4.pth'
    note.write_text(str(newest))
    args = Namespace(
        config=str(CONFIG),
        cfg_options=None,
        launcher='none',
        work_dir=str(tmp_path / 'work'),
        local_rank=0)
    cfg = config._load(args)
    config._use_resume(cfg, 'auto')
    assert cfg.resume and cfg.load_from == str(newest)
    assert not capsys.readouterr().out
    if damage == 'empty note':
        note.write_text('')
    elif damage == 'no note':
        note.unlink()
    else:
        newest.write_bytes(newest.read_bytes()[:100_000])
        newest = newest.with_name('iter_2.pth')
    cfg = config._load(args)
    config._use_resume(cfg, 'auto')
    assert cfg.resume and cfg.load_from == str(newest)
    line, = capsys.readouterr().out.splitlines()
    assert f'{newest.name}: last_checkpoint names ' in line


def test_no_tool_runs_code_of_a_checkpoint(run_tool, tiny, trained, beacons,
                                           tmp_path):
    checkpoint = torch.load(trained / 'iter_4.pth', weights_only=False)
    checkpoint['meta']['bomb'] = Bomb(os.system, 'touch exploded')
    torch.save(checkpoint, tmp_path / 'evil.pth')
    options = ['--cfg-options', *tiny]
    image = beacons / 'images/validation/00000000.jpg'
    for args in (['test.py', CONFIG, 'evil.pth', *options],
                 ['train.py', CONFIG, '--resume', 'evil.pth', *options],
                 ['train.py', CONFIG, *options, 'load_from=evil.pth'],
                 ['show_bias.py', CONFIG, 'evil.pth', image, *options]):
        result = run_tool(*args)
        assert result.returncode == 2
        error = result.stdout.splitlines()[-1]
        assert error.startswith('error: ')
        assert 'evil.pth has more than weights in it' in error
    assert not (tmp_path / 'exploded').exists()
    result = run_tool('test.py', CONFIG, 'evil.pth', '--trust', *options)
    assert not result.returncode, result.stdout
    assert (tmp_path / 'exploded').exists()


def test_a_score_needs_its_weights(run_tool, tiny, trained, tmp_path):
    weights = torch.load(
        trained / 'iter_4.pth', weights_only=False)['state_dict']
    torch.save(
        {k: v for k, v in weights.items() if k.startswith('backbone.')},
        tmp_path / 'backbone.pth')
    args = '--work-dir', tmp_path / 'test', '--cfg-options', *tiny
    result = run_tool('test.py', CONFIG, 'backbone.pth', *args)
    assert result.returncode == 2
    error = result.stdout.splitlines()[-1]
    assert error.startswith('error: the checkpoint has no weights that fit '
                            'neck, roi_head, rpn_head: ')
    assert 'segm_mAP' not in result.stdout
    result = run_tool('test.py', CONFIG, 'backbone.pth', '--allow-missing',
                      *args)
    assert not result.returncode, result.stdout
    assert 'scores of random weights' in result.stdout.splitlines()[-1]
    result = run_tool('test.py', CONFIG, trained / 'iter_4.pth', *args)
    assert f'all {len(weights) - count_batches(weights)} weights loaded' in (
        result.stdout)


def count_batches(weights):
    return sum(key.endswith('num_batches_tracked') for key in weights)


TOOLS = sorted(
    path.name for path in (ROOT / 'tools').glob('*.py')
    if path.name != 'cli.py')


@pytest.mark.parametrize('tool', TOOLS)
def test_help_is_quick_and_nothing_else(run_tool, tool):
    start = time.monotonic()
    result = run_tool(tool, '--help', new=True)
    assert not result.returncode
    assert result.stdout.startswith('usage: ')
    # far from the many seconds that the toolboxes take
    assert time.monotonic() - start < 2


def test_unknown_flags_name_the_nearest(run_tool):
    result = run_tool('train.py', CONFIG, '--resum', new=True)
    assert result.returncode == 2
    assert 'arguments: --resum; did you mean --resume?' in result.stdout


def test_only_what_is_imported_is_never_garbage(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    from cli import call
    gc.unfreeze()
    assert call('gc:isenabled', Namespace(debug=False))
    assert gc.get_freeze_count() > 100_000
    with pytest.raises(SystemExit):
        call('no_such_module:function', Namespace(debug=False))
    assert gc.isenabled()


def test_test_prints_ap_dumps_and_draws(run_tool, tiny, trained, tmp_path):
    result = run_tool('test.py', CONFIG, trained / 'iter_4.pth', '--work-dir',
                      tmp_path, '--out', tmp_path / 'out/p.pkl', '--show-dir',
                      tmp_path / 'pictures', '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert re.search(r'^coco/bbox_mAP: \d', result.stdout, re.M)
    assert re.search(r'^coco/segm_mAP: \d', result.stdout, re.M)
    assert f'4 pictures of predictions in {tmp_path}/pictures' in result.stdout
    assert len(list((tmp_path / 'pictures').iterdir())) == 4
    with open(tmp_path / 'out/p.pkl', 'rb') as file:
        assert len(pickle.load(file)) == 4


def test_flips_at_test_time(run_tool, tiny, trained, tmp_path):
    result = run_tool('test.py', CONFIG, trained / 'iter_4.pth', '--tta',
                      '--work-dir', tmp_path, '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert re.search(r'^coco/segm_mAP: \d', result.stdout, re.M)


@pytest.mark.parametrize('tta', [False, True])
def test_segmentation(run_tool, tiny_seg, trained_seg, tmp_path, tta):
    flags = ['--tta'] if tta else []
    result = run_tool('test.py', SEG_CONFIG, trained_seg / 'iter_4.pth',
                      '--work-dir', tmp_path, '--show-dir',
                      tmp_path / 'pictures', *flags, '--cfg-options',
                      *tiny_seg)
    assert not result.returncode, result.stdout
    for metric in ('mIoU', 'aAcc', 'mAcc'):
        assert re.search(rf'^{metric}: \d', result.stdout, re.M)
    assert f'4 pictures of predictions in {tmp_path}/pictures' in result.stdout


@pytest.mark.parametrize('tta', [False, True])
def test_segmentation_of_images_without_labels(run_tool, tiny_seg, trained_seg,
                                               tmp_path, tta):
    """As those of the test of ADE20K, for its server."""
    (tmp_path / 'unlabelled.py').write_text(f"""
_base_ = {str(SEG_CONFIG)!r}
test_dataloader = dict(dataset=dict(
    data_prefix=dict(_delete_=True, img_path='images/validation'),
    pipeline=[step for step in _base_.test_pipeline
              if step.type != 'LoadAnnotations']))
test_evaluator = dict(
    _delete_=True, type='IoUMetric', format_only=True, output_dir='labels')
""")
    result = run_tool('test.py', 'unlabelled.py', trained_seg / 'iter_4.pth',
                      '--work-dir', 'work', *['--tta'] * tta, '--cfg-options',
                      *tiny_seg)
    assert not result.returncode, result.stdout
    assert len(list((tmp_path / 'labels').glob('*.png'))) == 4


def test_slide_inference(run_tool, tiny_seg, trained_seg, tmp_path):
    """Crops that cover the image give what the image gives."""
    outputs = []
    for i, options in enumerate([[], [
            'model.test_cfg.mode=slide', 'model.test_cfg.crop_size="(128,128)"',
            'model.test_cfg.stride="(96,96)"'
    ], ['model.test_cfg.mode=slide', 'model.test_cfg.crop_size="(64,64)"',
            'model.test_cfg.stride="(32,32)"']]):
        result = run_tool('test.py', SEG_CONFIG, trained_seg / 'iter_4.pth',
                          '--work-dir', tmp_path, '--out',
                          tmp_path / f'{i}.pkl', '--score-maps',
                          '--cfg-options', *tiny_seg,
                          *options)
        assert not result.returncode, result.stdout
        with open(tmp_path / f'{i}.pkl', 'rb') as file:
            outputs.append([
                sample['seg_logits']['data'] for sample in pickle.load(file)
            ])
    whole, covered, cut = outputs
    for a, b, c in zip(whole, covered, cut):
        assert torch.equal(a, b)
        assert a.shape == c.shape and not torch.equal(a, c)


@pytest.mark.parametrize('flag', ['--show-dir=pictures', '--tta'])
def test_classification(run_tool, tiny_cls, trained_cls, beacons, tmp_path,
                        flag):
    result = run_tool('test.py', CLS_CONFIG, trained_cls / 'iter_4.pth',
                      '--work-dir', tmp_path, flag, '--cfg-options', *tiny_cls,
                      'test_evaluator.topk="(1,2)"')
    assert not result.returncode, result.stdout
    assert re.search(r'^accuracy/top1: \d', result.stdout, re.M)
    assert 'accuracy/top2: 100.0' in result.stdout
    pictures = f'4 pictures of predictions in {tmp_path}/pictures'
    assert (pictures in result.stdout) == flag.startswith('--show-dir')
    for path in (tmp_path / 'pictures').glob('*.png'):
        picture = cv2.imread(str(path)).astype(float)
        name = path.name.split('_')[0]
        image = cv2.imread(str(beacons / 'images/validation' / name))
        image = cv2.resize(image, picture.shape[1::-1]).astype(float)
        # not red for blue, where nothing is written over it
        wrong = abs(picture - image[..., ::-1]).mean()
        assert abs(picture - image).mean() < wrong


@pytest.mark.parametrize('config, options', [(CONFIG, 'tiny'),
                                             (SEG_CONFIG, 'tiny_seg')])
def test_from_classification_to_detection_and_segmentation(
        run_tool, trained_cls, tmp_path, config, options, request):
    """The backbone of a saved classifier fits without a key too much, too
    few or of another shape."""
    checkpoint = trained_cls / 'iter_4.pth'
    options = request.getfixturevalue(options)
    result = run_tool(
        'train.py', config, '--work-dir', tmp_path, '--cfg-options',
        *(option for option in options if 'init_cfg' not in option),
        f'model.backbone.init_cfg.checkpoint={checkpoint}',
        'train_cfg.max_iters=1', 'default_hooks.checkpoint.interval=1',
        'optim_wrapper.optimizer.lr=0.0', 'model.backbone.norm_eval=True')
    assert not result.returncode, result.stdout
    assert f"load backbone. in model from: {checkpoint}" in result.stdout
    for report in ('do not match', 'unexpected key', 'missing keys',
                   'size mismatch'):
        assert report not in result.stdout
    weights = [
        {
            key: value
            for key, value in torch.load(path, weights_only=False)[
                'state_dict'].items() if key.startswith('backbone.')
        } for path in (checkpoint, tmp_path / 'iter_1.pth')
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(
        torch.equal(value, weights[1][key])
        for key, value in weights[0].items()
        # SB has the statistics of the batch, see SBResNetMixin
        if 'spatial_bias' not in key)


def test_two_processes_train_a_segmentor_with_sync_bn(run_tool, tiny_seg,
                                                      tmp_path):
    result = run_tool(
        'dist_train.sh',
        SEG_CONFIG,
        2,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *tiny_seg,
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        env=tool_env(PORT=free_port()))
    assert not result.returncode, result.stdout
    assert 'mIoU' in result.stdout


@pytest.mark.long
def test_two_processes(run_tool, tiny, tmp_path):
    result = run_tool(
        'dist_train.sh',
        CONFIG,
        2,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        *tiny,
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        env=tool_env(PORT=free_port()))
    assert not result.returncode, result.stdout
    assert 'coco/segm_mAP' in result.stdout
    result = run_tool(
        'dist_test.sh',
        CONFIG,
        tmp_path / 'work/iter_2.pth',
        2,
        '--work-dir',
        tmp_path / 'test',
        '--cfg-options',
        *tiny,
        env=tool_env(PORT=free_port()))
    assert not result.returncode, result.stdout
    assert result.stdout.count('\ncoco/segm_mAP: ') == 1


def interrupt(tool, args, begun):
    """What a tool prints that is interrupted once something has begun."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools' / tool), *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        # a shell in the background has its children ignore the signal
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
    while not begun():
        assert process.poll() is None
        time.sleep(.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert 'Traceback' not in output
    return output


def test_ctrl_c_ends_in_a_word(tmp_path):
    output = interrupt(
        'make_beacons.py', [tmp_path / 'out', '--num-train', 10**6],
        lambda: any(tmp_path.rglob('*.jpg')))
    assert output.endswith('interrupted\n')
    assert not any(tmp_path.iterdir())


def test_interruption_leaves_a_checkpoint_to_go_on_from(tiny, tmp_path):
    output = interrupt(
        'train.py', [
            CONFIG, '--work-dir', tmp_path, '--cfg-options', *tiny,
            'train_cfg.max_iters=10000'
        ], (tmp_path / 'last_checkpoint').is_file)
    last = (tmp_path / 'last_checkpoint').read_text()
    assert torch.load(last, weights_only=False)['meta']['iter'] >= 2
    assert re.search(r'interrupted after .*iter_\d+\.pth; --resume', output)


@pytest.mark.parametrize('tool, args, parts', [
    ('train.py', ['gone.py'], ['the config gone.py does not exist']),
    ('train.py', ['.'], ['the config . is a folder']),
    ('test.py', [ROOT / 'README.md', CONFIG],
     ['README.md is no config', 'goes before a checkpoint']),
    ('train.py', [COCO], [
        'data/coco/ (train_dataloader.dataset.data_root) does not exist',
        'cocodataset.org', 'ln -s /path/to/data data/coco',
        '--cfg-options train_dataloader.dataset.data_root='
    ]),
    ('train.py', [CONFIG], ['tools/make_beacons.py data/beacons']),
    ('train.py', [ROOT / 'configs/upernet_sb_r50_ade20k.py'], [
        'data/ade/ADEChallengeData2016 (train_dataloader.dataset.data_root)',
        'ADEChallengeData2016.zip'
    ]),
    ('train.py', [ROOT / 'configs/sb_r50_imagenet.py'], [
        'data/imagenet (train_dataloader.dataset.data_root)', 'image-net.org'
    ]),
    ('train.py', [CONFIG, '--resume', 'gone.pth'], ['gone.pth does not exist']),
    ('train.py', [CONFIG, '--auto-scale-lr'], ['base_batch_size']),
    ('test.py', [COCO, 'gone.pth'], ['the checkpoint gone.pth does not exist']),
    ('test.py', [COCO, __file__, '--out', 'a.csv'],
     ["FILE.json for COCO's format or FILE.pkl", 'a.csv']),
    ('test.py', [CLS_CONFIG, __file__, '--tta', '--show-dir=a'],
     ['--show-dir does not go with --tta']),
])
def test_missing_input_gives_one_clear_message(run_tool, tmp_path, tool, args,
                                               parts):
    result = run_tool(tool, *args)
    assert result.returncode == 2
    message = result.stdout[result.stdout.index('error: '):]
    for part in parts:
        assert part in message
    assert 'Traceback' not in result.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('config, options, key, none', [
    (CONFIG, 'tiny', 'model.backbone.init_cfg.checkpoint',
     'model.backbone.init_cfg'),
    (SEG_CONFIG, 'tiny_seg', 'model.pretrained', 'model.pretrained'),
])
def test_missing_weights_give_one_clear_message(run_tool, request, config,
                                                options, key, none):
    options = [
        option for option in request.getfixturevalue(options)
        if 'init_cfg' not in option
    ]
    result = run_tool('train.py', config, '--cfg-options', *options,
                      f'{key}=gone.pth')
    assert result.returncode == 2
    for part in (f'the weights gone.pth ({key}) do not exist', f'{key}=FILE',
                 f'{none}=None'):
        assert part in result.stdout
    assert 'Traceback' not in result.stdout


def test_make_beacons(run_tool, tmp_path):
    args = ['beacons', '--num-train', 2, '--num-val', 1, '--size', 32]
    assert 'beacons written' in run_tool('make_beacons.py', *args).stdout
    assert 'is there already' in run_tool('make_beacons.py', *args).stdout
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/file').touch()
    result = run_tool('make_beacons.py', 'mine')
    assert result.returncode == 2
    assert 'left alone' in result.stdout and 'Traceback' not in result.stdout


def test_show_bias(run_tool, tiny, trained, beacons, tmp_path):
    checkpoint = torch.load(trained / 'iter_4.pth', weights_only=False)
    # a block that does not read its maps has no effect
    checkpoint['state_dict']['backbone.layer1.0.conv2.weight'][:, 8:] = 0
    torch.save(checkpoint, tmp_path / 'model.pth')
    images = sorted((beacons / 'images/validation').iterdir())[:2]
    for folder, image in zip('ab', images):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / image.name).symlink_to(image)
    result = run_tool('show_bias.py', CONFIG, 'model.pth', 'a', 'b/*.*', '--out',
                      'bias', '--vis-backends', 'LocalVisBackend',
                      'TensorboardVisBackend', '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    pictures = {path.name for path in tmp_path.glob('bias/*/vis_image/*')}
    assert pictures == {
        f'{image.stem}_layer{stage}_{step}.png'
        for step, image in enumerate(images) for stage in (1, 2, 3)
    }
    assert list(tmp_path.glob('bias/*/events*'))
    with open(tmp_path / 'bias/table.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 6  # SB in stages 1 to 3 of a ResNet-18, and means
    for row in rows:
        assert (float(row['effect (ratio)']) == 0) == (row['block'] == 'layer1.0')
    assert [row['image'] for row in rows[:12:6]] == [
        f'{folder}/{image.name}' for folder, image in zip('ab', images)
    ]
    for first, second, both in zip(rows[:6], rows[6:12], rows[12:]):
        assert float(first['largest value']) > 0
        assert both['image'] == 'mean of 2' and not both['largest value']
        assert float(both['effect (ratio)']) == pytest.approx(
            (float(first['effect (ratio)']) + float(second['effect (ratio)'])
             ) / 2, abs=.0011)


def test_show_bias_says_what_is_missing(run_tool, tiny, trained, beacons):
    image = beacons / 'images/validation/00000000.jpg'
    plain = ROOT / 'configs/beacons/maskrcnn_r50_beacons.py'
    for args, message in (
        ((CONFIG, trained / 'iter_4.pth', 'gone.jpg'), 'gone.jpg is no file'),
        ((CONFIG, 'gone.pth', image), 'gone.pth does not exist'),
        ((plain, trained / 'iter_4.pth', image), 'has no SB block')):
        result = run_tool('show_bias.py', *args)
        assert result.returncode == 2
        assert message in result.stdout and 'Traceback' not in result.stdout


def test_fill_tables(run_tool, tmp_path):
    (tmp_path / 'table.md').write_text('| a |\n')
    document = tmp_path / 'doc.md'
    text = 'one\n<!-- table: table.md -->\n{}<!-- end -->\ntwo\n'
    document.write_text(text.format('old\n'))
    for _ in range(2):
        assert not run_tool('fill_tables.py', 'doc.md').returncode
        assert document.read_text() == text.format('| a |\n')
    (tmp_path / 'table.md').unlink()
    result = run_tool('fill_tables.py', 'doc.md')
    assert result.returncode == 2 and 'table.md' in result.stdout
    result = run_tool('fill_tables.py', 'doc.md', '--keep-missing')
    assert not result.returncode and 'table.md does not' in result.stdout
    assert document.read_text() == text.format('| a |\n')
