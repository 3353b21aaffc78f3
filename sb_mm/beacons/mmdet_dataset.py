"""Beacons for detection and instance segmentation."""
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from .scenes import CLASSES, PALETTE


@DATASETS.register_module()
class BeaconsDataset(CocoDataset):
    """The generated scenes with their COCO annotations, see
    :mod:`sb_mm.beacons.scenes`."""
    METAINFO = dict(classes=CLASSES, palette=PALETTE)
