"""AP on Beacons by distance."""
import tempfile
from copy import deepcopy

import numpy as np
from mmdet.datasets.api_wrappers import COCOeval
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.fileio import load

from .distance import DISTANCES, ranges, read_beacons


@METRICS.register_module()
class BeaconsMetric(CocoMetric):
    """The AP of COCO, and box AP by distance from the beacon.

    As COCO does for sizes, the AP of a range leaves out the objects, and the
    detections that match none, that lie outside of it: ``bbox_mAP/40-80`` and
    ``bbox_mAP_50/40-80`` are over those whose box has its centre 40 to 80
    pixels away from the beacon's.

    Args:
        ann_file (str): COCO annotations of the images, which say where the
            beacons are.
        distances (Sequence[int]): Bounds of the ranges in pixels. Defaults to
            0, 20, …, 240.
        **kwargs: Arguments of :class:`mmdet.evaluation.CocoMetric`.

    Raises:
        ValueError: If ``ann_file`` tells of no beacons.
    """

    def __init__(self, ann_file, distances=DISTANCES, **kwargs):
        super().__init__(ann_file=ann_file, **kwargs)
        beacons = read_beacons(ann_file)
        self.beacons = {
            image['id']: beacons[image['file_name']]['centre']
            for image in self._coco_api.dataset['images']
        }
        self.distances = distances

    def compute_metrics(self, results):
        """Compute the AP over all objects, and over those of each range."""
        metrics = super().compute_metrics(results)
        if 'bbox' not in self.metrics or 'bbox_mAP' not in metrics:
            return metrics
        with tempfile.TemporaryDirectory() as folder:
            _, preds = zip(*results)
            files = self.results2json(preds, f'{folder}/results')
            truth = deepcopy(self._coco_api)
            found = truth.loadRes(load(files['bbox']))
        # COCOeval tells ranges of area apart: call the distance the area
        for annotation in (*truth.anns.values(), *found.anns.values()):
            x, y, w, h = annotation['bbox']
            centre = self.beacons[annotation['image_id']]
            annotation['area'] = np.hypot(x + w / 2 - centre[0],
                                          y + h / 2 - centre[1])
        evaluation = COCOeval(truth, found, 'bbox')
        evaluation.params.catIds = self.cat_ids
        evaluation.params.imgIds = self.img_ids
        evaluation.params.maxDets = list(self.proposal_nums)
        evaluation.params.iouThrs = self.iou_thrs
        names, *bounds = zip(*ranges(self.distances))
        evaluation.params.areaRng = list(zip(*bounds))
        evaluation.params.areaRngLbl = names
        evaluation.evaluate()
        evaluation.accumulate()
        # IoU thresholds, recalls, classes, ranges, detections of an image
        precision = evaluation.eval['precision'][..., -1]
        for i, name in enumerate(names):
            for key, values in (('bbox_mAP', precision[..., i]),
                                ('bbox_mAP_50', precision[0, ..., i])):
                values = values[values > -1]  # classes without objects
                if values.size:
                    metrics[f'{key}/{name}'] = float(values.mean())
        return metrics
