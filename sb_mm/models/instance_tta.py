import torch
from mmcv.ops import batched_nms
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import MODELS
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData


def complete_boxes(instances):
    """Give objects that have masks alone, such as SOLO's, whose boxes are all
    zeros, the boxes around these.

    Args:
        instances (InstanceData): Predictions, changed in place.
    """
    if 'masks' in instances and not instances.bboxes.any():
        instances.bboxes = mask2bbox(instances.masks)


@MODELS.register_module()
class InstanceSegTTAModel(DetTTAModel):
    """Merge detections with masks over an image and its flipped views.

    MMDetection's own model refuses masks. Here the boxes of all views go
    through one NMS, and those that survive keep the mask of their view.

    Raises:
        ValueError: If the model predicts something else, such as a panoptic
            segmentation.
    """

    def _merge_single_sample(self, data_samples):
        # the first gets the result: its ground truth is drawn beside it
        data_samples = sorted(
            data_samples, key=lambda sample: sample.metainfo['flip'])
        if 'pred_instances' not in data_samples[0]:
            raise ValueError('InstanceSegTTAModel merges boxes and masks of '
                             'objects, and the model predicts none')
        if 'masks' not in data_samples[0].pred_instances:
            return super()._merge_single_sample(data_samples)
        views = [sample.pred_instances for sample in data_samples]
        metas = [sample.metainfo for sample in data_samples]
        for view, meta in zip(views, metas):
            complete_boxes(view)
            if meta['flip']:
                view.masks = view.masks.flip(
                    dict(horizontal=[2], vertical=[1],
                         diagonal=[1, 2])[meta['flip_direction']])
        boxes, scores = self.merge_aug_bboxes(
            [view.bboxes for view in views], [view.scores for view in views],
            metas)
        labels = torch.cat([view.labels for view in views])
        masks = torch.cat([view.masks for view in views])
        merged, keep = batched_nms(boxes, scores, labels, self.tta_cfg.nms)
        merged = merged[:self.tta_cfg.max_per_img]
        keep = keep[:self.tta_cfg.max_per_img]
        data_samples[0].pred_instances = InstanceData(
            bboxes=merged[:, :4],
            scores=merged[:, 4],
            labels=labels[keep],
            masks=masks[keep])
        return data_samples[0]
