"""Public data sets in the formats that the toolboxes read."""
from .cifar10 import convert_cifar10

__all__ = ['convert_cifar10']
