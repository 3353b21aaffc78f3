"""Files of predictions, and networks in files."""
import csv
import json
import pickle
import re

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from conftest import CLS_CONFIG, DEMO, ROOT, SEG_CONFIG
from pycocotools import mask as coco_mask

from sb_mm.apis.export import SUFFIXES


def test(run_tool, config, trained, options, *args):
    result = run_tool('test.py', config, trained / 'iter_4.pth', '--work-dir',
                      'test', *args, '--cfg-options', *options)
    assert not result.returncode, result.stdout
    return result


test.__test__ = False


def test_detections_as_coco_json(run_tool, tiny, trained, beacons, tmp_path):
    test(run_tool, DEMO, trained, tiny, '--out', 'out/a.json')
    images = {
        image['id']: image
        for image in json.loads((beacons / 'annotations' / (
            'instances_validation.json')).read_text())['images']
    }
    boxes, masks = (
        json.loads((tmp_path / f'out/a.{kind}.json').read_text())
        for kind in ('bbox', 'segm'))
    assert len(boxes) == len(masks) > 0
    for box, mask in zip(boxes, masks):
        assert {'image_id', 'bbox', 'score', 'category_id'} <= box.keys()
        assert 1 <= box['category_id'] <= 6
        image = images[mask['image_id']]
        assert coco_mask.decode(mask['segmentation']).shape == (
            image['height'], image['width'])


def test_label_maps_as_png(run_tool, tiny_seg, trained_seg, tmp_path):
    test(run_tool, SEG_CONFIG, trained_seg, tiny_seg, '--out', 'maps')
    test(run_tool, SEG_CONFIG, trained_seg, tiny_seg, '--out', 'a.pkl')
    test(run_tool, SEG_CONFIG, trained_seg, tiny_seg, '--out', 'b.pkl',
         '--score-maps')
    samples, scored = (
        pickle.loads((tmp_path / name).read_bytes())
        for name in ('a.pkl', 'b.pkl'))
    assert len(samples) == len(list((tmp_path / 'maps').iterdir())) == 4
    for sample, other in zip(samples, scored):
        assert 'seg_logits' not in sample
        labels = sample['pred_sem_seg']['data'][0].numpy()
        assert np.array_equal(other['seg_logits']['data'].argmax(0), labels)
        name = sample['img_path'].split('/')[-1].replace('.jpg', '.png')
        written = cv2.imread(
            str(tmp_path / 'maps' / name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(
            written, labels + sample.get('reduce_zero_label', False))


def test_a_table_of_a_classifier(run_tool, tiny_cls, trained_cls, tmp_path):
    printed = test(run_tool, CLS_CONFIG, trained_cls, tiny_cls, '--out',
                   'a.csv').stdout
    test(run_tool, CLS_CONFIG, trained_cls, tiny_cls, '--out', 'a.json')
    with open(tmp_path / 'a.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    right = sum(row['label'] == row['truth'] for row in rows)
    assert f'accuracy/top1: {100 * right / 4}' in printed
    for row, other in zip(rows, json.loads(
            (tmp_path / 'a.json').read_text()), strict=True):
        assert row['image'] == other['image'] and '.jpg' in row['image']
        assert [int(row['label'])] == other['label']
        assert .5 <= float(row['score']) <= 1 and row['class']


@pytest.mark.parametrize('format, dynamic, task', [
    ('onnx', True, 'classifier'),
    ('onnx', True, 'segmentor'),
    ('onnx', True, 'detector'),
    ('onnx', False, 'segmentor'),
    ('torchscript', True, 'segmentor'),
    ('torchscript', False, 'detector'),
    ('exported', True, 'classifier'),
    ('exported', False, 'segmentor'),
])
def test_export(run_tool, request, tmp_path, format, dynamic, task):
    config, options, trained, what, outputs = dict(
        classifier=(CLS_CONFIG, 'tiny_cls', 'trained_cls', 'model', 1),
        segmentor=(SEG_CONFIG, 'tiny_seg', 'trained_seg', 'model', 1),
        detector=(DEMO, 'tiny', 'trained', 'backbone', 5))[task]
    suffix = SUFFIXES[format]
    size = (64, 96) if format == 'exported' else (65, 96)
    result = run_tool(
        'export.py', config,
        request.getfixturevalue(trained) / 'iter_4.pth', '--format', format,
        '--what', what, '--size', *size, '--out', f'out/net{suffix}',
        '--json', *(['--dynamic'] if dynamic else []), '--cfg-options',
        *request.getfixturevalue(options))
    assert not result.returncode, result.stdout
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert len(rows) == 3 * outputs
    assert {row['status'] for row in rows} == {'ok'}
    assert len({row['image (px)'] for row in rows}) == (3 if dynamic else 1)
    assert (tmp_path / f'out/net{suffix}').stat().st_size > 10_000


def test_an_exported_classifier_gives_the_scores_of_the_toolbox(
        run_tool, tiny_cls, trained_cls, beacons, tmp_path):
    """The file alone, from the image as a viewer shows it."""
    test(run_tool, CLS_CONFIG, trained_cls, tiny_cls, '--out', 'a.json')
    result = run_tool('export.py', CLS_CONFIG, trained_cls / 'iter_4.pth',
                      '--size', 128, 128, '--out', 'net.onnx', '--cfg-options',
                      *tiny_cls)
    assert not result.returncode, result.stdout
    session = onnxruntime.InferenceSession(str(tmp_path / 'net.onnx'))
    for row in json.loads((tmp_path / 'a.json').read_text()):
        image = cv2.cvtColor(cv2.imread(row['image']), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, (128, 128)).astype(np.float32)
        scores, = session.run(None, dict(image=image.transpose(2, 0, 1)[None]))
        assert scores[0, row['label'][0]] == pytest.approx(
            row['score'][0], abs=1e-4)


def test_the_code_of_the_document(run_tool, tiny_cls, trained_cls, beacons,
                                  tmp_path, monkeypatch):
    result = run_tool('export.py', CLS_CONFIG, trained_cls / 'iter_4.pth',
                      '--dynamic', '--out', 'net.onnx', '--cfg-options',
                      *tiny_cls)
    assert not result.returncode, result.stdout
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/beacons').symlink_to(beacons)
    monkeypatch.chdir(tmp_path)
    code = {}
    for block in re.findall(r'```python\n(.*?)```', (
            ROOT / 'docs/deploy.md').read_text(), re.S):
        exec(block, code)
    eight = onnxruntime.InferenceSession('net_int8.onnx')
    for image in (beacons / 'images/validation').iterdir():
        assert code['classify'](str(image)) in (0, 1)
        scores, others = (
            session.run(None, dict(image=code['load'](str(image))))[0]
            for session in (code['session'], eight))
        assert abs(scores - others).max() < .2
    assert (tmp_path / 'net_int8.onnx').stat().st_size < .5 * (
        tmp_path / 'net.onnx').stat().st_size


@pytest.mark.parametrize('args, message', [
    (['--out', 'net.pt'], 'must end in .onnx for --format onnx'),
    (['--out', 'net.onnx'], '--what backbone exports backbone and neck'),
    (['--out', 'a.pt2', '--format', 'exported', '--dynamic', '--size', '65',
      '64'], 'multiples of 32'),
])
def test_export_says_what_it_cannot_do(run_tool, tiny, trained, tmp_path,
                                       args, message):
    result = run_tool('export.py', DEMO, trained / 'iter_4.pth', *args,
                      '--cfg-options', *tiny)
    assert result.returncode == 2 and message in result.stdout
    assert 'Traceback' not in result.stdout
    assert not list(tmp_path.iterdir())


def test_export_needs_all_weights(run_tool, tiny_cls, trained_cls, tmp_path):
    weights = torch.load(
        trained_cls / 'iter_4.pth', weights_only=False)['state_dict']
    del weights['head.fc.weight']
    torch.save(weights, tmp_path / 'part.pth')
    result = run_tool('export.py', CLS_CONFIG, 'part.pth', '--out', 'a.onnx',
                      '--cfg-options', *tiny_cls)
    assert result.returncode == 2
    assert re.search(r'^error: .*', result.stdout, re.M)
