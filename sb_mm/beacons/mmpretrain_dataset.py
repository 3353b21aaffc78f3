"""Beacons for classification."""
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS

from .scenes import BEACON_COLOURS


@DATASETS.register_module()
class BeaconsDataset(CustomDataset):
    """The generated scenes with the colour of the beacon as the label, see
    :mod:`sb_mm.beacons.scenes`."""
    METAINFO = dict(classes=tuple(BEACON_COLOURS))
