import shutil
from hashlib import sha256

import pytest
import torch
import yaml
from conftest import CLS_CONFIG, ROOT
from mmengine.config import Config
from mmengine.fileio import load
from mmpretrain.registry import MODELS

import sb_mm  # noqa: F401

PUBLISHED = {
    model['Name']: model
    for model in load(ROOT / 'configs/metafile.yml')['Models']
    if 'Weights' in model
}


def build(name):
    """The network of a published config, in the mode for testing."""
    cfg = Config.fromfile(ROOT / PUBLISHED[name]['Config'])
    return MODELS.build(cfg.model).eval()


def weights_of(name):
    return torch.load(ROOT / PUBLISHED[name]['Weights'])['state_dict']


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_weights(name):
    """The files of the metafile are whole, and those of its configs."""
    entry, net = PUBLISHED[name], build(name)
    file = ROOT / entry['Weights']
    digest = sha256(file.read_bytes()).hexdigest()
    assert file.stem == f'{name}-{digest[:8]}'
    net.load_state_dict(weights_of(name))
    parameters = sum(param.numel() for param in net.parameters())
    assert parameters == entry['Metadata']['Parameters']


def test_published_plain_weights_in_sb():
    """What a plain network has learnt says the same with SB."""
    plain, sb = (build(name) for name in ('r20_cifar10', 'sb_r20_cifar10'))
    for net in (plain, sb):
        net.load_state_dict(weights_of('r20_cifar10'))
    x = torch.randn(8, 3, 32, 32)
    torch.testing.assert_close(sb(x), plain(x))
    assert plain(x).std() > .5  # not the same for want of anything learnt


def entry_of(result):
    """The entry that publish.py printed."""
    entry, = yaml.safe_load(result.stdout[result.stdout.index('- Name'):])
    return entry


def test_file_and_entry(run_tool, tiny_cls, trained_cls, tmp_path):
    run = shutil.copytree(trained_cls, tmp_path / 'private/run')
    checkpoint = run / 'iter_4.pth'
    command = ('publish.py', run, 'out', '--dataset', 'Beacons', '--url',
               'https://example.org/sb/')
    result = run_tool(*command)
    assert result.returncode == 2 and f'{run} is not tested' in result.stdout
    assert not (tmp_path / 'out').exists()

    test = ('test.py', CLS_CONFIG, '--work-dir', run, '--out',
            run / 'predictions.csv', '--cfg-options', *tiny_cls)
    expected = run_tool(*test[:2], checkpoint, *test[2:]).stdout
    result = run_tool(*command)
    assert not result.returncode, result.stdout
    file, = (tmp_path / 'out').iterdir()
    data = file.read_bytes()
    assert file.stem == (
        f'{CLS_CONFIG.stem}-{sha256(data).hexdigest()[:8]}')
    assert b'private' not in data
    assert len(data) < checkpoint.stat().st_size
    ours = torch.load(file)  # nothing but weights and plain values
    theirs = torch.load(checkpoint, weights_only=False)
    assert ours.keys() == {'meta', 'state_dict'}
    assert ours['meta']['dataset_meta'] == theirs['meta']['dataset_meta']
    assert ours['state_dict'].keys() == theirs['state_dict'].keys()
    for name, value in theirs['state_dict'].items():
        assert torch.equal(ours['state_dict'][name], value)

    entry = entry_of(result)
    results, = entry.pop('Results')
    top1 = results.pop('Metrics')['Top 1 Accuracy']
    assert f'accuracy/top1: {top1}' in expected
    assert results == dict(Task='Image Classification', Dataset='Beacons')
    assert entry.pop('Metadata')['Iterations'] == 4
    assert entry == {
        'Name': CLS_CONFIG.stem,
        'In Collection': 'Spatial Bias',
        'Config': 'configs/beacons/' + CLS_CONFIG.name,
        'Weights': f'https://example.org/sb/{file.name}'
    }


def test_metrics_without_a_name_in_the_field(run_tool, tiny_cls, trained_cls,
                                             tmp_path):
    run = shutil.copytree(trained_cls, tmp_path / 'run')
    config = tmp_path / CLS_CONFIG.name
    config.write_text(f"""_base_ = '{CLS_CONFIG}'
test_evaluator = dict(
    _delete_=True, type='SingleLabelMetric', items=['recall'])
""")
    tested = run_tool('test.py', config, run / 'iter_4.pth', '--work-dir',
                      run, '--cfg-options', *tiny_cls)
    assert not tested.returncode, tested.stdout
    result = run_tool('publish.py', run, 'out', '--dataset', 'Beacons')
    assert not result.returncode, result.stdout
    results, = entry_of(result)['Results']
    recall = results.pop('Metrics')['single-label/recall']
    assert f'single-label/recall: {recall:.4f}' in tested.stdout
    assert results == dict(Dataset='Beacons')
