"""Beacons, the generated data set: scenes, data sets, metrics and plots.

The package is a guest: a config that uses it names it beside ``sb_mm``, in
``custom_imports = dict(imports=['sb_mm', 'sb_mm.beacons'], …)``.
"""
from importlib import import_module

from ..compat import installed_toolboxes
from .scenes import make_beacons

__all__ = ['make_beacons']

for _toolbox in installed_toolboxes():
    import_module(f'.{_toolbox}_dataset', __name__)
    if _toolbox != 'mmpretrain':
        import_module(f'.{_toolbox}_metric', __name__)
