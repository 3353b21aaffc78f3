from importlib import import_module

from ..compat import installed_toolboxes
from .beacons import make_beacons

__all__ = ['make_beacons']

for _toolbox in installed_toolboxes():
    import_module(f'.{_toolbox}_beacons', __name__)
