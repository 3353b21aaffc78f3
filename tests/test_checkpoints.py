import http.server
import io
import os
import pickle
import re
import sys
import tarfile
import threading
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from conftest import ROOT, Bomb, randomize
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from sb_mm.checkpoints import convert_checkpoint, from_authors, to_plain
from sb_mm.utils.checkpoint_file import (CheckpointError, read_checkpoint,
                                         read_safely)

CONFIGS = {
    'mmdet': ROOT / 'configs/beacons/maskrcnn_sb_r50_beacons.py',
    'mmseg': ROOT / 'configs/beacons/upernet_sb_r50_beacons.py',
    'mmpretrain': ROOT / 'configs/beacons/sb_r50_beacons.py'
}


def build(config, plain=False):
    """The model of a config, or its plain twin."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    if plain:
        cfg.model.backbone.sb_stages = (False, ) * 4
    return randomize(MODELS.build(cfg.model)).eval()


@pytest.fixture(scope='module')
def plain_files(tmp_path_factory):
    """A plain checkpoint of each toolbox, as a runner writes them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('plain')
    for scope, config in CONFIGS.items():
        torch.save(
            dict(
                meta=dict(dataset_meta=dict(classes=('a', 'b')), cfg='x = 1'),
                state_dict=build(config, plain=True).state_dict(),
                optimizer=dict(state={})), folder / f'{scope}.pth')
    return folder


@pytest.mark.parametrize('scope', CONFIGS)
def test_there_and_back(run_tool, plain_files, tmp_path, scope):
    src, config = plain_files / f'{scope}.pth', CONFIGS[scope]
    result = run_tool('convert_checkpoint.py', src, 'new/er/sb.pth', '--to',
                      'sb', '--config', config)
    assert not result.returncode, result.stdout
    assert '13 blocks extended by SB' in result.stdout
    assert 'left out: optimizer' in result.stdout
    old, new = map(read_checkpoint, (src, tmp_path / 'new/er/sb.pth'))
    assert new['meta'].pop('sb_mm_version')
    assert new['meta'] == old['meta'] and 'optimizer' not in new

    model, plain = build(config), build(config, plain=True)
    model.load_state_dict(new['state_dict'])
    plain.load_state_dict(old['state_dict'])
    x = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        for out, want in zip(model.extract_feat(x), plain.extract_feat(x)):
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())

    result = run_tool('convert_checkpoint.py', 'new/er/sb.pth', 'plain.pth',
                      '--to', 'plain')
    assert 'SB taken out of 13 blocks' in result.stdout
    back = read_checkpoint(tmp_path / 'plain.pth')['state_dict']
    assert back.keys() == old['state_dict'].keys()
    assert all(
        torch.equal(value, old['state_dict'][key])
        for key, value in back.items())


def test_a_file_of_safetensors(plain_files, tmp_path, monkeypatch):
    path = tmp_path / 'plain.safetensors'
    weights = read_checkpoint(plain_files / 'mmpretrain.pth')['state_dict']
    save_file(weights, path)
    config = CONFIGS['mmpretrain']
    convert_checkpoint(path, tmp_path / 'new.pth', 'sb', config=config)
    convert_checkpoint(plain_files / 'mmpretrain.pth', tmp_path / 'old.pth',
                       'sb', config=config)
    new, old = (read_checkpoint(tmp_path / name)['state_dict']
                for name in ('new.pth', 'old.pth'))
    assert new.keys() == old.keys()
    assert all(torch.equal(value, old[key]) for key, value in new.items()
               if 'spatial_bias' not in key)  # which is drawn
    read_safely()  # what init_cfg and load_from read by
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert loaded.keys() == weights.keys()

    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match='it may be damaged'):
        read_checkpoint(path)
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(CheckpointError, match='pip install safetensors'):
        read_checkpoint(path)


def rename(weights, pairs):
    """Replace parts of all names, one pair after the other."""
    renamed = {}
    for name, value in weights.items():
        for ours, theirs in pairs:
            name = re.sub(ours, theirs, name)
        renamed[name] = value
    return renamed


TRANSFORMERS = [
    (r'backbone\.(conv|bn)1', r'resnet.embedder.embedder.\1'),
    *((rf'backbone\.layer{i + 1}\.', f'resnet.encoder.stages.{i}.layers.')
      for i in range(4)),
    *((rf'\.(conv|bn){i + 1}\.', rf'.layer.{i}.\1.') for i in range(3)),
    (r'downsample\.0', 'shortcut.conv'),
    (r'downsample\.1', 'shortcut.bn'),
    (r'\.conv\.', '.convolution.'),
    (r'\.bn\.', '.normalization.'),
    (r'head\.fc', 'classifier.1'),
]
DETECTRON2 = [
    *((rf'backbone\.layer{i - 1}\.', f'res{i}.') for i in range(2, 6)),
    (r'backbone\.', 'stem.'),
    (r'bn(\d)', r'conv\1.norm'),
    (r'downsample\.0', 'shortcut'),
    (r'downsample\.1', 'shortcut.norm'),
]


@pytest.mark.parametrize('suffix, pairs', [
    ('.pth', TRANSFORMERS), ('.pth', DETECTRON2), ('.pkl', DETECTRON2)])
def test_the_names_of_other_libraries(plain_files, tmp_path, suffix, pairs):
    weights = read_checkpoint(plain_files / 'mmpretrain.pth')['state_dict']
    if pairs is DETECTRON2:
        weights = {name: value for name, value in weights.items()
                   if name.startswith('backbone.')}
    theirs = rename(weights, pairs)
    assert not theirs.keys() & weights.keys()
    path = tmp_path / f'theirs{suffix}'
    if suffix == '.pkl':
        arrays = {name: value.numpy() for name, value in theirs.items()}
        path.write_bytes(pickle.dumps(dict(model=arrays, __author__='me'), 2))
    else:
        torch.save(dict(model=theirs, iteration=1), path)
    convert_checkpoint(
        path, tmp_path / 'sb.pth', 'sb', config=CONFIGS['mmpretrain'])
    convert_checkpoint(tmp_path / 'sb.pth', tmp_path / 'back.pth', 'plain')
    back = read_checkpoint(tmp_path / 'back.pth')['state_dict']
    if pairs is DETECTRON2:
        back = {f'backbone.{name}': value for name, value in back.items()}
    assert back.keys() == weights.keys()
    assert all(torch.equal(value, weights[name])
               for name, value in back.items())


def test_what_sb_has_learnt_is_not_thrown_away():
    weights = build(CONFIGS['mmpretrain']).state_dict()
    with pytest.raises(ValueError, match=r'layer1.0.conv3.weight reads the'):
        to_plain(weights)
    with pytest.raises(ValueError, match='no SB to take out'):
        to_plain(to_plain({
            key: value.zero_() if 'conv3' in key else value
            for key, value in weights.items()
        })[0])


def authors_layout(weights):
    """The weights of our ResNet in the names of the authors."""
    result = {}
    for key, value in weights.items():
        if '.spatial_bias.norm.' in key:
            continue
        block = key.split('.bn2.')[0]
        norm = key.replace('.bn2.', '.spatial_bias.norm.')
        if '.bn2.' in key and norm in weights and value.dim():
            value = torch.cat([value, weights[norm]])
        key = key.replace('spatial_bias.mix', 'SB.sb_conv')
        key = key.replace('spatial_bias.reduction.conv',
                          'SB.feature_reduction.0')
        key = key.replace('spatial_bias.reduction.bn',
                          'SB.feature_reduction.1')
        assert block
        result[f'module.{key}'] = value
    return result


@pytest.mark.parametrize('whole', [True, False])
def test_a_network_of_the_authors(run_tool, tmp_path, whole):
    """As a classifier of MMPreTrain, or as a backbone."""
    config = CONFIGS['mmpretrain' if whole else 'mmdet']
    model = build(config)
    weights = authors_layout(model.backbone.state_dict())
    fc = dict(weight=torch.randn(2, 1024), bias=torch.randn(2))
    weights.update({f'module.fc.{key}': value for key, value in fc.items()})
    torch.save(weights, tmp_path / 'authors.pth')
    result = run_tool('convert_checkpoint.py', 'authors.pth', 'sb.pth', '--to',
                      'sb', '--from', 'authors', '--config', config)
    assert not result.returncode, result.stdout
    assert 'SB of 13 blocks' in result.stdout
    new = read_checkpoint(tmp_path / 'sb.pth')['state_dict']
    for key, value in fc.items():
        assert torch.equal(
            value, new.pop(f'head.fc.{key}' if whole else f'fc.{key}'))
    backbone = model.backbone.state_dict(prefix='backbone.' if whole else '')
    assert new.keys() == backbone.keys()
    assert all(torch.equal(value, new[key]) for key, value in backbone.items())


def test_layouts_are_told_apart():
    with pytest.raises(ValueError, match="authors' layout"):
        from_authors(build(CONFIGS['mmdet']).backbone.state_dict())


def damaged(kind, good, path):
    content = good.read_bytes()
    if kind == 'truncated':
        path.write_bytes(content[:len(content) // 2])
    elif kind == 'text':
        path.write_text('not found')
    elif kind == 'code':
        torch.save(dict(state_dict={}, meta=Bomb(os.system, 'touch exploded')), path)
    else:
        checkpoint = read_checkpoint(good)
        weights = checkpoint['state_dict']
        if kind == 'nan':
            weights['backbone.layer2.1.conv2.weight'][0, 0] = float('nan')
        elif kind == 'architecture':
            weights = {'features.0.weight': torch.zeros(64, 3, 3, 3)}
        elif kind == 'depth':
            weights = {
                key: value
                for key, value in weights.items() if 'layer3.5' not in key
            }
        elif kind == 'width':
            weights['backbone.conv1.weight'] = torch.zeros(64, 3, 7, 7)
        elif kind == 'classes':
            weights['head.fc.weight'] = torch.zeros(9, 1024)
        torch.save(dict(checkpoint, state_dict=weights), path)


@pytest.mark.parametrize('kind, message', [
    ('truncated', 'cannot be read as a checkpoint'),
    ('text', 'cannot be read as a checkpoint'),
    ('code', r'more than weights in it \(\S*system\).*--trust'),
    ('nan', r'layer2.1.conv2.weight in \S+ has values that are not finite'),
    ('architecture', r'does not fit .* weights missing.* left over.*features'),
    ('depth', r'does not fit .* missing, such as backbone.layer3.5'),
    ('width', r'conv1.weight .*\(64, 3, 7, 7\).*\(32, 3, 7, 7\)'),
    ('classes', r'does not fit .*head.fc.weight'),
])
def test_damaged_input(run_tool, plain_files, tmp_path, kind, message):
    damaged(kind, plain_files / 'mmpretrain.pth', tmp_path / 'bad.pth')
    result = run_tool('convert_checkpoint.py', 'bad.pth', 'sb.pth', '--to',
                      'sb', '--config', CONFIGS['mmpretrain'])
    assert result.returncode == 2
    error, = re.findall(r'^error: .*', result.stdout, re.M)
    assert re.search(message, error), result.stdout
    assert 'Traceback' not in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ['bad.pth']


@pytest.mark.parametrize('args, message', [
    (['gone.pth', 'sb.pth', '--to', 'sb'], 'gone.pth does not exist'),
    (['old.pth', 'sb.pth', '--to', 'sb'], '--to sb needs --config'),
    (['old.pth', 'old.pth', '--to', 'plain'], 'old.pth exists; --force'),
    (['old.pth', 'sb.pth', '--to', 'plain'], 'no SB to take out'),
])
def test_wrong_use(run_tool, plain_files, tmp_path, args, message):
    (tmp_path / 'old.pth').symlink_to(plain_files / 'mmpretrain.pth')
    result = run_tool('convert_checkpoint.py', *args)
    assert result.returncode == 2 and message in result.stdout
    assert 'Traceback' not in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ['old.pth']


def test_reads_what_a_runner_writes(tmp_path):
    """With the history of its log and its schedulers."""
    from mmengine.optim.scheduler import MultiStepLR, OneCycleLR
    optimizer = torch.optim.SGD([torch.zeros(1)], 1.)
    checkpoint = dict(
        meta=dict(epoch=1, dataset_meta=dict(classes=('a', ))),
        state_dict=dict(weight=torch.ones(1)),
        message_hub=dict(
            log_scalars=dict(loss=HistoryBuffer([1., 2.], [1, 1])),
            runtime_info=dict(values=[ConfigDict(left='out'), 2])),
        param_schedulers=[
            MultiStepLR(optimizer, [1]).state_dict(),
            OneCycleLR(optimizer, 1., total_steps=9).state_dict()
        ])
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(Exception, match='HistoryBuffer'):
        torch.load(tmp_path / 'a.pth', weights_only=True)
    read = read_checkpoint(tmp_path / 'a.pth')
    assert read['meta'] == checkpoint['meta']
    assert torch.equal(read['state_dict']['weight'], torch.ones(1))
    assert read['message_hub']['runtime_info'] == dict(values=[2])


@pytest.mark.parametrize('call', [(eval, 'open("exploded", "w")'),
                                  (getattr, torch.Tensor, 'numpy'),
                                  (getattr, HistoryBuffer, '__init__')],
                         ids=lambda call: str(call[-1]))
def test_reads_no_code(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(meta=Bomb(*call)), tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='more than weights in it'):
        read_checkpoint(tmp_path / 'evil.pth')
    assert not (tmp_path / 'exploded').exists()


def test_reads_the_old_format(tmp_path, monkeypatch):
    """That of PyTorch before 1.6, with the history of a log."""
    monkeypatch.chdir(tmp_path)
    history = HistoryBuffer([1., 2.], [1, 1])
    torch.save(
        dict(state_dict=dict(weight=torch.ones(2)), log=history),
        tmp_path / 'old.pth',
        _use_new_zipfile_serialization=False)
    read = read_checkpoint(tmp_path / 'old.pth')
    assert torch.equal(read['state_dict']['weight'], torch.ones(2))
    assert read['log'].mean(2) == 1.5
    torch.save(
        dict(meta=Bomb(os.system, 'touch exploded')),
        tmp_path / 'evil.pth',
        _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match='more than weights in it'):
        read_checkpoint(tmp_path / 'evil.pth')
    assert not (tmp_path / 'exploded').exists()


def archive(kind, path):
    content = pickle.dumps(Bomb(os.system, 'touch exploded'))
    if kind == 'tar':
        with tarfile.open(path, 'w') as file:
            for name in ('pickle', 'storages', 'tensors', 'sys_info'):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    elif kind == 'pickle':
        path.write_bytes(content)
    elif kind == 'zip of a pickle':
        with zipfile.ZipFile(path, 'w') as file:
            file.writestr('archive/data.pkl', content)
            file.writestr('archive/version', '3')
    elif kind == 'zip in a zip':
        inner = io.BytesIO()
        torch.save(dict(meta=Bomb(os.system, 'touch exploded')), inner)
        with zipfile.ZipFile(path, 'w') as file:
            file.writestr('archive.zip', inner.getvalue())
    else:
        torch.jit.script(torch.nn.Identity()).save(path)


@pytest.mark.parametrize('name', ['evil.pth', 'evil.pkl'])
@pytest.mark.parametrize(
    'kind', ['tar', 'pickle', 'zip of a pickle', 'zip in a zip', 'script'])
def test_other_archives_run_nothing(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    archive(kind, tmp_path / name)
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(tmp_path / name)
    assert not (tmp_path / 'exploded').exists()


@pytest.mark.parametrize('scheme', ['http', 'open-mmlab'])
def test_files_behind_an_address_are_read_alike(tmp_path, monkeypatch, scheme):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    (tmp_path / 'www').mkdir()
    torch.save(dict(state_dict={}), tmp_path / 'www/good.pth')
    torch.save(
        dict(meta=Bomb(os.system, 'touch exploded')),
        tmp_path / 'www/evil.pth')
    handler = partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path / 'www')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f'http://127.0.0.1:{server.server_port}'
        urls = {name: f'{root}/{name}.pth' for name in ('good', 'evil')}
        if scheme == 'open-mmlab':  # stands for addresses
            monkeypatch.setattr(
                'mmengine.runner.checkpoint.get_external_models', urls.copy)
            urls = {name: f'open-mmlab://{name}' for name in urls}
        read_safely()
        assert CheckpointLoader.load_checkpoint(
            urls['good'], 'cpu') == dict(state_dict={})
        with pytest.raises(CheckpointError, match='more than weights in it'):
            CheckpointLoader.load_checkpoint(urls['evil'], 'cpu')
        assert not (tmp_path / 'exploded').exists()
        read_safely(trust=True)
        CheckpointLoader.load_checkpoint(urls['evil'], 'cpu')
        assert (tmp_path / 'exploded').exists()
        read_safely()
        server.shutdown()


def test_a_download_that_is_cut_off_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    whole = (tmp_path / 'weights.pth').read_bytes()
    (tmp_path / 'weights.pth').write_bytes(whole[:-40])
    handler = partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/weights.pth'
        read_safely()
        with pytest.raises(CheckpointError, match=f'{url} was removed: .*'
                           'may be damaged'):
            CheckpointLoader.load_checkpoint(url, 'cpu')
        (tmp_path / 'weights.pth').write_bytes(whole)
        assert CheckpointLoader.load_checkpoint(
            url, 'cpu') == dict(state_dict={})
        server.shutdown()


def test_the_log_of_a_run_is_read_as_it_is(trained):
    """A run that is resumed goes on with all that it had."""
    ours = read_checkpoint(trained / 'iter_4.pth')
    theirs = torch.load(trained / 'iter_4.pth', weights_only=False)
    assert ours.keys() == theirs.keys()
    for name, history in theirs['message_hub']['log_scalars'].items():
        mine = ours['message_hub']['log_scalars'][name]
        assert all(map(np.array_equal, mine.data, history.data))
        assert mine.mean(2) == history.mean(2)
    assert ours['message_hub']['runtime_info'] == theirs['message_hub'][
        'runtime_info']
    assert ours['optimizer']['param_groups'] == theirs['optimizer'][
        'param_groups']


def test_the_code_of_the_document(monkeypatch):
    monkeypatch.chdir(ROOT)
    block, = re.findall(r'```python\n(.*?)```', (
        ROOT / 'docs/checkpoints.md').read_text(), re.S)
    code = {}
    exec(block, code)
    path, = ROOT.glob('weights/sb_r20_cifar10-*.pth')
    weights = read_checkpoint(path)['state_dict']
    own = code['model'].state_dict()
    assert own.keys() == weights.keys()
    assert all(torch.equal(value, own[key]) for key, value in weights.items())
