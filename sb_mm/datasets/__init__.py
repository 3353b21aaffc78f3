"""Public data sets in the formats that the toolboxes read."""
from .camvid import convert_camvid
from .cifar10 import convert_cifar10
from .dsb2018 import convert_dsb2018

__all__ = ['convert_camvid', 'convert_cifar10', 'convert_dsb2018']
