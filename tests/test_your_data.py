"""The templates for one's own data, filled in as their page says."""
import json

import pytest
from conftest import ROOT

from sb_mm.beacons.scenes import CLASSES

SPLITS = dict(train='training', val='validation')


@pytest.fixture
def template(tmp_path):
    """Write a config of one's own: a template with other data and classes."""

    def fill(name, classes):
        text = (ROOT / 'configs/your_data' / name).read_text()
        for old, new in (("'data/yours", f"'{tmp_path}/yours"),
                         ("_base_ = '.", f"_base_ = '{ROOT}/configs/your_data/."),
                         ("('cat', 'dog')", repr(classes)),
                         ("('background', 'cat', 'dog')", repr(classes))):
            text = text.replace(old, new)
        path = tmp_path / 'mine.py'
        path.write_text(text)
        assert 'cat' not in text
        return path

    return fill


@pytest.fixture
def yours(tmp_path):
    (tmp_path / 'yours').mkdir()
    return tmp_path / 'yours'


@pytest.mark.long
def test_detector(template, yours, beacons, run_tool, tmp_path):
    (yours / 'images').symlink_to(beacons / 'images')
    for ours, theirs in SPLITS.items():
        data = json.loads(
            (beacons / f'annotations/instances_{theirs}.json').read_text())
        for image in data['images']:
            image['file_name'] = f'{theirs}/{image["file_name"]}'
        (yours / f'{ours}.json').write_text(json.dumps(data))
    config = template('maskrcnn_sb_r50_yours.py', CLASSES)
    options = [
        'model.backbone.depth=18', 'model.backbone.stem_channels=8',
        'model.backbone.base_channels=8', 'model.backbone.init_cfg=None',
        'model.neck.in_channels=[8,16,32,64]', 'train_cfg.max_epochs=1',
        'model.train_cfg.rcnn.sampler.num=16', 'model.test_cfg.rcnn.max_per_img=5',
        'model.test_cfg.rcnn.score_thr=0.0'
    ] + [
        f'{phase}_dataloader.{option}' for phase in ('train', 'val', 'test')
        for option in ('num_workers=0', 'persistent_workers=False')
    ] + ['train_dataloader.dataset.pipeline.2.scale=(64,64)'] + [
        f'{phase}_dataloader.dataset.pipeline.1.scale=(64,64)'
        for phase in ('val', 'test')
    ]
    result = run_tool('check_data.py', config, '--json', '--cfg-options',
                      *options)
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert not [row for row in rows if row['status'] == 'fault']
    result = run_tool('train.py', config, '--cfg-options', *options)
    assert not result.returncode, result.stdout
    weights = tmp_path / 'work_dirs/mine/epoch_1.pth'
    result = run_tool('test.py', config, weights, '--cfg-options', *options)
    assert not result.returncode and 'coco/segm_mAP' in result.stdout
    result = run_tool('predict.py', config, weights,
                      beacons / 'images/validation', '--out', 'predictions',
                      '--cfg-options', *options)
    assert not result.returncode, result.stdout
    categories = json.loads((tmp_path / 'predictions/predictions.json'
                             ).read_text())['categories']
    assert tuple(each['name'] for each in categories) == CLASSES


@pytest.mark.parametrize('name, classes', [
    ('upernet_sb_r50_yours.py', ('background', *CLASSES)),
    ('sb_r50_yours.py', ('blue', 'orange'))])
def test_others_find_their_data(template, yours, beacons, run_tool, name,
                                classes):
    for ours, theirs in SPLITS.items():
        if 'upernet' in name:
            for folder, source in dict(
                    images='images', labels='annotations').items():
                (yours / folder).mkdir(exist_ok=True)
                (yours / folder / ours).symlink_to(beacons / source / theirs)
            continue
        for number, image in enumerate((beacons / 'images' / theirs).iterdir()):
            folder = yours / ours / classes[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / image.name).symlink_to(image)
    result = run_tool('check_data.py', template(name, classes), '--json')
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert not [row for row in rows if row['status'] == 'fault'], rows
    assert {row['found'] for row in rows if row['check'] == 'images'} == {
        '8', '4'}
    assert [row['check'] for row in rows][-1] == 'samples after the pipeline'
