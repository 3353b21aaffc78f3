"""Beacons for classification."""
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS

from .beacons import BEACON_COLOURS


@DATASETS.register_module()
class BeaconsDataset(CustomDataset):
    """The generated scenes with the colour of the beacon as the label, see
    :mod:`sb_mm.datasets.beacons`."""
    METAINFO = dict(classes=tuple(BEACON_COLOURS))
