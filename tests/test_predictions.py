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
from mmdet.structures.mask import mask2bbox
from mmengine.registry import DATASETS
from pycocotools import mask as coco_mask

from sb_mm.analysis.complexity import image_shape
from sb_mm.apis.checks import InputError, read_config
from sb_mm.apis.export import HAS_TORCH_EXPORT, SUFFIXES, export
from sb_mm.apis.model import build_model
from sb_mm.apis.predictors import build_predictor


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


needs_torch_export = pytest.mark.skipif(
    not HAS_TORCH_EXPORT, reason='PyTorch before 2.2')


@pytest.mark.parametrize('format, dynamic, task', [
    ('onnx', True, 'classifier'),
    ('onnx', True, 'segmentor'),
    ('onnx', True, 'detector'),
    ('onnx', False, 'segmentor'),
    ('torchscript', True, 'segmentor'),
    ('torchscript', False, 'detector'),
    pytest.param('exported', True, 'classifier', marks=needs_torch_export),
    pytest.param('exported', False, 'segmentor', marks=needs_torch_export),
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


SMALL = """
_base_ = {!r}
backbone = dict(depth=18, stem_channels=8, base_channels=8, init_cfg=None)
"""


@pytest.fixture
def several_labels(tmp_path):
    """Config and weights of a classifier that gives any number of labels."""
    (tmp_path / 'several.py').write_text(SMALL.format(str(CLS_CONFIG)) + """
model = dict(backbone=backbone, head=dict(
    _delete_=True, type='MultiLabelLinearClsHead', num_classes=5,
    in_channels=64, thr=0.4))
test_dataloader = dict(dataset=dict(metainfo=dict(classes=tuple('abcde'))))
test_evaluator = dict(_delete_=True, type='MultiLabelMetric')
""")
    model = build_model(tmp_path / 'several.py')[1]
    torch.nn.init.normal_(model.head.fc.weight, 0, .01)
    model.head.fc.bias.data = torch.tensor([-2., 2, -2, 2, 2])
    torch.save(dict(state_dict=model.state_dict(), meta=dict(
        dataset_meta=dict(classes=tuple('abcde')))), tmp_path / 'several.pth')
    return tmp_path / 'several.py', tmp_path / 'several.pth', model


def test_a_classifier_of_several_labels(several_labels, run_tool, beacons,
                                        tmp_path):
    """Each has its own score, in the file and in the table."""
    config, checkpoint, model = several_labels
    x = torch.rand(2, 3, 64, 96) * 255
    export(config, checkpoint, 'torchscript', tmp_path / 'net.pt',
           size=(64, 96))
    scores, = torch.jit.load(tmp_path / 'net.pt')(x[:1])
    inputs = model.data_preprocessor(dict(inputs=x.flip(1)))['inputs']
    with torch.no_grad():
        want = model.predict(inputs)
    torch.testing.assert_close(scores[0], want[0].pred_score)
    assert not .999 < scores.sum() < 1.001

    for name, options in (('all', []), ('some', ['--classes', 'a', 'b'])):
        result = run_tool('predict.py', config, checkpoint, beacons / (
            'images/validation'), '--out', name, *options)
        assert not result.returncode, result.stdout
    result = run_tool('test.py', config, checkpoint, '--out', 'a.json',
                      '--work-dir', 'test', '--cfg-options',
                      f'test_dataloader.dataset.data_root={beacons}')
    assert not result.returncode, result.stdout
    theirs = json.loads((tmp_path / 'a.json').read_text())
    assert all(row['class'] == ['b', 'd', 'e'] for row in theirs)
    for name, chosen in (('all', 'abcde'), ('some', 'ab')):
        with open(tmp_path / name / 'predictions.csv', newline='') as file:
            for row, other in zip(csv.DictReader(file), theirs, strict=True):
                assert row['picture'] == other['image'].split('/')[-1]
                assert row['class'].split() == [
                    each for each in other['class'] if each in chosen]


def test_a_test_in_wrappers(several_labels, run_tool, beacons, tmp_path):
    """The pipeline that reads an image is that of the dataset inside."""
    config, checkpoint, _ = several_labels
    (tmp_path / 'wrapped.py').write_text(f"""
_base_ = {str(config)!r}
dataset = dict(_base_.test_dataloader.dataset, data_root={str(beacons)!r})
test_dataloader = dict(dataset=dict(
    _delete_=True, type='ConcatDataset', datasets=[
        dict(type='RepeatDataset', times=2, dataset=dataset)]))
""")
    plain, wrapped = (read_config(path) for path in (
        config, tmp_path / 'wrapped.py'))
    assert image_shape(wrapped) == image_shape(plain) == (128, 128)
    assert len(DATASETS.build(wrapped.test_dataloader.dataset)) == 8
    image = next(beacons.glob('images/validation/*.jpg'))
    for tool, args in (('predict.py', [image, '--out', 'out']),
                       ('show_bias.py', [image, '--out', 'maps']),
                       ('test.py', ['--work-dir', 'test', '--tta'])):
        result = run_tool(tool, tmp_path / 'wrapped.py', checkpoint, *args)
        assert not result.returncode, result.stdout
    assert 'b d e' in (tmp_path / 'out/predictions.csv').read_text()


@pytest.mark.parametrize('base, head', [
    ('solov2/solov2_r50_fpn_1x_coco.py',
     'mask_head=dict(feat_channels=32, stacked_convs=1), test_cfg=dict('
     'score_thr=0, filter_thr=0, mask_thr=.3)'),
    ('panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py', '')])
def test_detectors_without_boxes(base, head, tmp_path):
    config, checkpoint = tmp_path / 'net.py', tmp_path / 'net.pth'
    config.write_text(f"""
_base_ = 'mmdet::{base}'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNet', depth=18, stem_channels=8, base_channels=8,
                  init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64]), {head})
pipeline = _base_.test_pipeline
pipeline[1].update(scale=(64, 64))
test_dataloader = dict(dataset=dict(pipeline=[
    each for each in pipeline if 'Annotations' not in each.type]))
""")
    torch.save(build_model(config)[1].state_dict(), checkpoint)
    predictor = build_predictor(
        str(config), str(checkpoint), 'cpu', dict(score_thr=0.))
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype('uint8')
    if not head:
        with pytest.raises(InputError, match='PanopticFPN predicts no objects'):
            predictor([image])
        return
    found = predictor([image])[0].pred_instances
    assert len(found) and torch.equal(found.bboxes, mask2bbox(found.masks))


@pytest.mark.parametrize('head', [
    # MMSegmentation cuts one channel off at a threshold
    """in_channels=[8, 16, 32, 64], num_classes=2, out_channels=1, threshold=0.4,
       loss_decode=dict(
           _delete_=True, type='CrossEntropyLoss', use_sigmoid=True)""",
    # gives three maps, of which the first is the prediction
    """_delete_=True, type='DAHead', in_channels=16, in_index=1, channels=8,
       pam_channels=8, num_classes=7""",
])
def test_labels_of_an_exported_segmentor(head, tmp_path):
    """In the file the largest is the label, whatever the head."""
    config, checkpoint = tmp_path / 'head.py', tmp_path / 'head.pth'
    config.write_text(SMALL.format(str(SEG_CONFIG)) + f"""
model = dict(
    backbone=backbone,
    decode_head=dict({head}),
    auxiliary_head=dict(in_channels=32, num_classes=2, loss_decode=dict(
        class_weight=None)))
""")
    model = build_model(config)[1]
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)
    torch.nn.init.constant_(model.decode_head.conv_seg.bias, -.4)
    torch.save(model.state_dict(), checkpoint)
    export(config, checkpoint, 'torchscript', tmp_path / 'net.pt',
           size=(64, 96))
    x = torch.rand(1, 3, 64, 96) * 255
    scores, = torch.jit.load(tmp_path / 'net.pt')(x)
    inputs = model.data_preprocessor(dict(inputs=[x[0].flip(0)]))['inputs']
    with torch.no_grad():
        labels = model.predict(inputs)[0].pred_sem_seg.data
    assert labels.unique().numel() > 1
    assert torch.equal(scores.argmax(1), labels.long())


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
