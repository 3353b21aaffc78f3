"""Merging the views of an image."""
import pytest
import torch
from conftest import DEMO
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import mask2bbox
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torchvision.ops import nms

SIZE = 40, 60


@pytest.fixture(scope='module')
def model():
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.update(
        depth=18, base_channels=8, stem_channels=8, init_cfg=None)
    cfg.model.neck.in_channels = [8, 16, 32, 64]
    return MODELS.build(
        dict(
            type='mmdet.InstanceSegTTAModel',
            module=cfg.model,
            tta_cfg=ConfigDict(
                nms=dict(type='nms', iou_threshold=.5), max_per_img=100)))


def view(flip, count=30):
    """What a network says of a view, and the ground truth of the view."""
    height, width = SIZE
    corner = torch.rand(count, 2) * torch.tensor([width - 21., height - 21.])
    boxes = torch.cat([corner, corner + 5 + 15 * torch.rand(count, 2)], dim=1)
    sample = DetDataSample(metainfo=dict(
        ori_shape=SIZE,
        flip=flip,
        flip_direction='horizontal' if flip else None))
    sample.pred_instances = InstanceData(
        bboxes=boxes,
        scores=torch.rand(count),
        labels=torch.randint(0, 2, (count, )),
        masks=torch.rand(count, height, width) > .5)
    sample.gt_instances = InstanceData(bboxes=boxes[:1])
    return sample


@pytest.mark.parametrize('flipped_first', [True, False])
def test_merges_like_brute_force(model, flipped_first):
    samples = [view(flip=False), view(flip=True)]
    boxes, masks = [], []
    for sample in samples:
        instances = sample.pred_instances
        box, mask = instances.bboxes.clone(), instances.masks.clone()
        if sample.flip:
            box[:, [0, 2]] = SIZE[1] - box[:, [2, 0]]
            mask = mask.flip(2)
        boxes.append(box)
        masks.append(mask)
    boxes, masks = torch.cat(boxes), torch.cat(masks)
    scores, labels = (
        torch.cat([getattr(sample.pred_instances, name) for sample in samples])
        for name in ('scores', 'labels'))
    kept = torch.cat([
        index[nms(boxes[index], scores[index], .5)]
        for index in (torch.where(labels == label)[0] for label in (0, 1))
    ])
    kept = kept[scores[kept].argsort(descending=True)]
    truth = samples[0].gt_instances.bboxes

    merged = model._merge_single_sample(
        samples[::-1] if flipped_first else samples)
    assert torch.equal(merged.gt_instances.bboxes, truth)
    instances = merged.pred_instances
    torch.testing.assert_close(instances.bboxes, boxes[kept])
    assert torch.equal(instances.scores, scores[kept])
    assert torch.equal(instances.labels, labels[kept])
    assert torch.equal(instances.masks, masks[kept])


def test_merges_masks_without_boxes(model):
    """SOLO's boxes are zeros; those around its masks are merged."""
    samples = [[view(flip=False), view(flip=True)] for _ in range(2)]
    for given, without in zip(*samples):
        masks = torch.zeros(30, *SIZE, dtype=torch.bool)
        for mask, box in zip(masks, given.pred_instances.bboxes.int().tolist()):
            mask[box[1]:box[3], box[0]:box[2]] = True
        for sample, boxes in ((given, mask2bbox(masks)),
                              (without, torch.zeros(30, 4))):
            sample.pred_instances = InstanceData(
                bboxes=boxes, scores=given.pred_instances.scores,
                labels=given.pred_instances.labels, masks=masks)
    want, got = (model._merge_single_sample(pair).pred_instances
                 for pair in samples)
    assert 0 < len(got) < 60 and got.bboxes.any()
    for name in ('bboxes', 'scores', 'labels', 'masks'):
        assert torch.equal(got[name], want[name])


def test_refuses_what_are_no_objects(model):
    with pytest.raises(ValueError, match='the model predicts none'):
        model._merge_single_sample(
            [DetDataSample(metainfo=dict(flip=flip)) for flip in (0, 1)])
