"""tools/predict.py gives what tools/test.py gives for the same pictures."""
import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from conftest import CLS_CONFIG, DEMO, SEG_CONFIG
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from sb_mm.beacons.scenes import CLASSES


@pytest.fixture
def predict(run_tool, beacons):

    def run(config, trained, options, out, *args, inputs=None):
        inputs = inputs or [beacons / 'images/validation']
        return run_tool('predict.py', config, trained / 'iter_4.pth', *inputs,
                        '--out', out, *args, '--cfg-options', *options)

    return run


@pytest.fixture
def test(run_tool):

    def run(config, trained, options, out):
        result = run_tool('test.py', config, trained / 'iter_4.pth',
                          '--work-dir', 'test', '--out', out, '--cfg-options',
                          *options)
        assert not result.returncode, result.stdout

    return run


def pictures_of(folder):
    return sorted(path.name for path in folder.iterdir())


def test_detector(predict, test, tiny, trained, tmp_path):
    result = predict(DEMO, trained, tiny, 'new', '--score-thr', 0,
                     '--batch-size', 3)
    assert not result.returncode, result.stdout
    test(DEMO, trained, tiny, 'old.json')
    names = [f'0000000{i}.jpg' for i in range(4)]
    assert pictures_of(tmp_path / 'new/pictures') == names
    ours = COCO(str(tmp_path / 'new/predictions.json'))
    assert tuple(
        cat['name'] for cat in ours.loadCats(ours.getCatIds())) == CLASSES
    theirs = json.loads((tmp_path / 'old.segm.json').read_text())
    boxes = json.loads((tmp_path / 'old.bbox.json').read_text())
    assert len(ours.anns) == len(theirs) == len(boxes) > 0
    for row, other in zip(*(sorted(rows, key=lambda row: row['score'])
                            for rows in (ours.anns.values(), boxes))):
        assert row['score'] == pytest.approx(other['score'], abs=1e-4)
        assert row['bbox'] == pytest.approx(other['bbox'], abs=.01)
        image, = ours.loadImgs(row['image_id'])
        assert coco_mask.decode(row['segmentation']).shape == (
            image['height'], image['width'])


def test_segmentor(predict, test, tiny_seg, trained_seg, tmp_path):
    result = predict(SEG_CONFIG, trained_seg, tiny_seg, 'new')
    assert not result.returncode, result.stdout
    test(SEG_CONFIG, trained_seg, tiny_seg, 'old')
    names = pictures_of(tmp_path / 'new/labels')
    assert names == pictures_of(tmp_path / 'old') and len(names) == 4
    for name in names:
        ours, theirs = (
            cv2.imread(str(tmp_path / folder / name), cv2.IMREAD_UNCHANGED)
            for folder in ('new/labels', 'old'))
        assert np.array_equal(ours, theirs)
    assert len(pictures_of(tmp_path / 'new/pictures')) == 4


def test_classifier(predict, test, tiny_cls, trained_cls, tmp_path):
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'new', '--batch-size',
                     2)
    assert not result.returncode, result.stdout
    test(CLS_CONFIG, trained_cls, tiny_cls, 'old.json')
    theirs = json.loads((tmp_path / 'old.json').read_text())
    with open(tmp_path / 'new/predictions.csv', newline='') as file:
        for row, other in zip(csv.DictReader(file), theirs, strict=True):
            assert row['picture'] == other['image'].split('/')[-1]
            assert [int(row['label'])] == other['label']
            assert [row['class']] == other['class']
            assert float(row['score']) == pytest.approx(
                other['score'][0], abs=1e-4)


def test_what_cannot_be_read_is_named(predict, tiny_cls, trained_cls, beacons,
                                      tmp_path):
    shutil.copytree(beacons / 'images/validation', tmp_path / 'mine/deep')
    (tmp_path / 'mine/broken.jpg').write_bytes(b'no picture')
    (tmp_path / 'mine/empty.png').touch()
    (tmp_path / 'mine/notes.txt').write_text('no picture either')
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'out', '--json',
                     inputs=['mine'])
    assert result.returncode == 1, result.stdout
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert rows[0]['picture'] == '4 pictures in out'
    assert [row['picture'].split('/')[-1] for row in rows[1:]] == [
        'broken.jpg', 'empty.png']
    assert {row['status'] for row in rows[1:]} == {'cannot be read'}
    assert len(pictures_of(tmp_path / 'out/pictures/deep')) == 4


def test_mistakes(predict, tiny_cls, trained_cls, tmp_path):
    (tmp_path / 'twins').mkdir()
    for name in ('a.jpg', 'a.png'):
        cv2.imwrite(str(tmp_path / 'twins' / name), np.zeros((8, 8, 3), 'u1'))
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full/file').touch()
    weights = torch.load(
        trained_cls / 'iter_4.pth', weights_only=False)['state_dict']
    del weights['head.fc.bias']
    (tmp_path / 'part').mkdir()
    torch.save(weights, tmp_path / 'part/iter_4.pth')
    for trained, out, inputs, message in (
        (trained_cls, 'full', None, 'full is not empty; --force'),
        (trained_cls, 'new', ['gone/*.jpg'], 'gone/*.jpg is no picture'),
        (trained_cls, 'new', ['twins'], 'would be written to the same file'),
        (tmp_path, 'new', None, 'iter_4.pth does not exist'),
        (tmp_path / 'part', 'new', None, 'head.fc.bias')):
        result = predict(CLS_CONFIG, trained, tiny_cls, out, inputs=inputs)
        assert result.returncode == 2, result.stdout
        assert message in result.stdout and 'Traceback' not in result.stdout
