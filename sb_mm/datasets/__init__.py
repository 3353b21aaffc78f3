from importlib import import_module

from ..compat import installed_toolboxes
from .beacons import make_beacons

__all__ = ['make_beacons']

if 'mmdet' in installed_toolboxes():
    import_module('.mmdet_beacons', __name__)
