"""Beacons for semantic segmentation."""
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .scenes import CLASSES, PALETTE


@DATASETS.register_module()
class BeaconsDataset(BaseSegDataset):
    """The generated scenes with their masks, see
    :mod:`sb_mm.beacons.scenes`; class 0 is the background."""
    METAINFO = dict(
        classes=('background', *CLASSES), palette=[(0, 0, 0), *PALETTE])
