import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmseg.models.backbones import ResNet
from torch.nn.functional import interpolate

from sb_mm.analysis import receptive_field
from sb_mm.beacons.distance_plot import draw_by_distance
from sb_mm.beacons.scenes import CLASSES
from sb_mm.beacons import mmdet_metric, mmseg_metric

PROBE = ROOT / 'configs/probe'


def ann_file(beacons):
    return str(beacons / 'annotations/instances_validation.json')


def test_accuracy_by_distance(beacons):
    """Against a count pixel by pixel."""
    reach, distances = 4, (0, 20, 60)
    metric = mmseg_metric.BeaconsMetric(
        ann_file(beacons), reach=reach, distances=distances)
    metric.dataset_meta = dict(classes=CLASSES)
    rng = np.random.default_rng(0)
    expected = {}
    for image in json.loads(open(ann_file(beacons)).read())['images']:
        label = rng.integers(0, 6, (64, 64))
        label[rng.random((64, 64)) < .3] = 255
        pred = np.where(rng.random((64, 64)) < .5, label % 6,
                        rng.integers(0, 6, (64, 64)))
        metric.process({}, [
            dict(
                img_path=f'some/folder/{image["file_name"]}',
                pred_sem_seg=dict(data=torch.tensor(pred)[None]),
                gt_sem_seg=dict(data=torch.tensor(label)[None]))
        ])
        cx, cy = image['beacon']['centre']
        limit = reach + image['beacon']['radius'] + 16
        for y, x in zip(*np.nonzero(label != 255)):
            distance = np.hypot(x - cx, y - cy)
            names = ['seen' if max(abs(x - cx), abs(y - cy)) <= limit else
                     'unseen']
            names += [
                f'{low}-{high}' for low, high in ((0, 20), (20, 60))
                if low <= distance < high
            ]
            for name in names:
                expected.setdefault(name, []).append(
                    (CLASSES[label[y, x]].split('_'),
                     CLASSES[pred[y, x]].split('_')))
    metrics = metric.evaluate(size=4)
    assert {'seen', 'unseen', '0-20', '20-60'} == expected.keys()
    for name, pairs in expected.items():
        for i, part in enumerate(('shape', 'colour')):
            truth = [label[i] for label, _ in pairs]
            right = np.mean([label[i] == pred[i] for label, pred in pairs])
            chance = max(map(truth.count, truth)) / len(truth)
            assert metrics[f'{part}_acc/{name}'] == pytest.approx(100 * right)
            assert metrics[f'{part}_chance/{name}'] == pytest.approx(
                100 * chance)
    assert 0 < metrics['mIoU'] < 100


def detect(metric, annotations, labels):
    """Detections that fit the ground truth exactly, with given labels."""
    for image in sorted({ann['image_id'] for ann in annotations}):
        chosen = [
            i for i, ann in enumerate(annotations) if ann['image_id'] == image
        ]
        boxes = torch.tensor([annotations[i]['bbox'] for i in chosen])
        boxes[:, 2:] += boxes[:, :2]
        metric.process({}, [
            dict(
                img_id=image,
                ori_shape=(64, 64),
                pred_instances=dict(
                    bboxes=boxes,
                    scores=torch.linspace(.9, .5, len(chosen)),
                    labels=torch.tensor([labels[i] for i in chosen])))
        ])
    return metric.evaluate(size=4)


def test_ap_by_distance(beacons):
    annotations = json.loads(open(ann_file(beacons)).read())['annotations']
    centres = {
        image['id']: image['beacon']['centre']
        for image in json.loads(open(ann_file(beacons)).read())['images']
    }

    def distance(ann):
        x, y, w, h = ann['bbox']
        cx, cy = centres[ann['image_id']]
        return np.hypot(x + w / 2 - cx, y + h / 2 - cy)

    limit = float(np.median([distance(ann) for ann in annotations]))
    names = [f'0-{limit}', f'{limit}-100']
    right = [ann['category_id'] - 1 for ann in annotations]
    wrong_far = [
        label if distance(ann) < limit else (label + 3) % 6
        for label, ann in zip(right, annotations)
    ]

    def evaluate(cls, labels, **kwargs):
        metric = cls(ann_file=ann_file(beacons), metric='bbox', **kwargs)
        metric.dataset_meta = dict(classes=CLASSES)
        return detect(metric, annotations, labels)

    ours = {'distances': (0, limit, 100)}
    perfect = evaluate(mmdet_metric.BeaconsMetric, right, **ours)
    assert [perfect[f'coco/bbox_mAP/{name}'] for name in names] == [1, 1]
    half = evaluate(mmdet_metric.BeaconsMetric, wrong_far, **ours)
    assert half[f'coco/bbox_mAP_50/{names[0]}'] > .9
    assert half[f'coco/bbox_mAP/{names[1]}'] == 0
    plain = evaluate(CocoMetric, wrong_far)
    assert {key: half[key] for key in plain} == plain


def test_metrics_need_beacons(tmp_path):
    path = tmp_path / 'coco.json'
    path.write_text('{"images": [{"file_name": "a.jpg"}]}')
    with pytest.raises(ValueError, match='tools/make_beacons.py'):
        mmseg_metric.BeaconsMetric(str(path), reach=1)


@pytest.mark.parametrize('stage, side', [(0, 35), (1, 91), (2, 267)])
def test_receptive_field_of_resnet50(stage, side):
    """Stem 11 pixels, then a 3x3 convolution in each block, at strides 4, 8
    (4 in its first block) and 16."""
    blocks, field, stride = (3, 4, 6), 11, 4
    for count in blocks[:stage + 1]:
        first = stride if count == 3 else stride // 2
        field += 2 * first + 2 * stride * (count - 1)
        stride *= 2
    assert field == side
    net = ResNet(
        50, stem_channels=4, base_channels=4, out_indices=(stage, ))
    net.eval()
    assert receptive_field(lambda x: net(x)[0], width=1024) == (
        -(side // 2), side // 2)


def field_of(config):
    """The receptive field of the pixels of a segmentor's output."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    model.eval()
    return receptive_field(
        lambda x: interpolate(
            model(x), x.shape[2:], mode='bilinear', align_corners=False),
        width=512), cfg.val_evaluator.reach


@pytest.mark.parametrize(
    'config', sorted(PROBE.rglob('*_probe.py')), ids=lambda path: path.stem)
def test_what_the_networks_of_the_probe_see(config):
    field, reach = field_of(config)
    if config.stem.startswith('r50'):
        assert max(-field[0], field[1]) == reach
    else:
        assert field is None


def test_picture_by_distance(tmp_path):
    path = tmp_path / 'distance.png'
    draw_by_distance({'a': [{'mIoU': 1.}]}, path)
    assert not path.exists()
    draw_by_distance({
        'a': [{'colour_acc/0-20': 50., 'colour_acc/20-40': 60.}],
        'b': [{'colour_acc/0-20': 50.}] * 2
    }, path)
    assert path.stat().st_size > 5_000
