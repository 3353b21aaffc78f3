from importlib import import_module

from ..compat import installed_toolboxes
from .plugin import SpatialBiasPlugin
from .spatial_bias import SpatialBias

__all__ = ['SpatialBias', 'SpatialBiasPlugin']

for _toolbox in installed_toolboxes():
    import_module(f'.{_toolbox}_resnet', __name__)
    if _toolbox == 'mmdet':
        import_module('.instance_tta', __name__)
