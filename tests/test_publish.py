import shutil
from hashlib import sha256

import torch
import yaml
from conftest import CLS_CONFIG


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

    entry, = yaml.safe_load(result.stdout[result.stdout.index('- Name'):])
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
