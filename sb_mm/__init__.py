"""Spatial Bias for MMDetection, MMSegmentation and MMPreTrain.

Importing the package registers the SB backbones in the scope of every toolbox
that is installed, so that a config needs only
``custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)``.
"""
from .compat import check_stack, inherit_by_scope
from .version import __version__

check_stack()
inherit_by_scope()

from . import engine, models  # noqa: E402, F401

__all__ = ['__version__']
