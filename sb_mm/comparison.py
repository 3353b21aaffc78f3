"""Context layers of others as plugins that start as their papers say.

A guest, like Beacons: a config that compares with them names it beside
``sb_mm``, in ``custom_imports = dict(imports=['sb_mm', 'sb_mm.comparison'])``.
"""
from mmcv.cnn.bricks import ContextBlock
from mmengine.registry import MODELS
from mmpretrain.models.utils import SELayer


@MODELS.register_module()
class GlobalContext(ContextBlock):
    """GCNet's block (Cao et al., 2019), whose last convolution starts at zero.

    In mmcv's own that is lost where the backbone starts from random weights:
    the initialization of the backbone covers all convolutions in it.

    Args:
        in_channels (int): Channels of the features.
        ratio (float): Hidden channels over ``in_channels``. Defaults to 1/16.
        **kwargs: Those of mmcv's ``ContextBlock``.
    """

    def __init__(self, in_channels, ratio=1 / 16, **kwargs):
        super().__init__(in_channels, ratio, **kwargs)

    def init_weights(self):
        """Initialize the weights, after those of the backbone."""
        self.reset_parameters()


@MODELS.register_module()
class SqueezeExcitation(SELayer):
    """MMPreTrain's SE layer (Hu et al., 2018) as a plugin.

    Args:
        in_channels (int): Channels of the features.
        **kwargs: Those of MMPreTrain's ``SELayer``.
    """

    def __init__(self, in_channels, **kwargs):
        super().__init__(in_channels, **kwargs)
