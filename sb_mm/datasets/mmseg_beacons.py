"""Beacons for semantic segmentation."""
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .beacons import CLASSES, PALETTE


@DATASETS.register_module()
class BeaconsDataset(BaseSegDataset):
    """The generated scenes with their masks in the format of ADE20K, see
    :mod:`sb_mm.datasets.beacons`: 0 is no object, and ignored."""
    METAINFO = dict(classes=CLASSES, palette=[list(c) for c in PALETTE])

    def __init__(self,
                 img_suffix='.jpg',
                 seg_map_suffix='.png',
                 reduce_zero_label=True,
                 **kwargs):
        super().__init__(
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            reduce_zero_label=reduce_zero_label,
            **kwargs)
