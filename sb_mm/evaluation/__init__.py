from importlib import import_module

from ..compat import installed_toolboxes

for _toolbox in ('mmdet', 'mmseg'):
    if _toolbox in installed_toolboxes():
        import_module(f'.{_toolbox}_beacons', __name__)
