from mmseg.datasets import transforms
from mmseg.registry import TRANSFORMS

from .data_checks import NamesTheFile


@TRANSFORMS.register_module(force=True)
class LoadAnnotations(NamesTheFile, transforms.LoadAnnotations):
    """That of MMSegmentation, whose errors name the map of labels."""
    path_key = 'seg_map_path'
