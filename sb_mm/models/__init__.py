from importlib import import_module

from ..compat import has_transformers_5, installed_toolboxes
from .plugin import SpatialBiasPlugin
from .spatial_bias import SpatialBias

__all__ = ['SpatialBias', 'SpatialBiasPlugin']

for _toolbox in installed_toolboxes():
    try:
        import_module(f'.{_toolbox}_resnet', __name__)
    except Exception as error:
        if not has_transformers_5():
            raise
        raise ImportError(
            f'sb_mm: {_toolbox} cannot be imported ({error}): MMPreTrain 1, '
            'and MMDetection where both are, needs transformers<5') from error
    if _toolbox == 'mmdet':
        import_module('.instance_tta', __name__)
