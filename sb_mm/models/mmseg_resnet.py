"""SB backbones in MMSegmentation's scope."""
from mmseg.models.backbones import resnet
from mmseg.models.backbones.resnet import BasicBlock, ResNet
from mmseg.registry import MODELS

from .residual_block import SBBasicBlockMixin, SBBottleneckMixin
from .sb_resnet import SBResNetMixin


class Bottleneck(resnet.Bottleneck):
    """MMSegmentation's bottleneck, with its plugins chained.

    The original hands its own input to every plugin of a position, so that
    all but the last are lost.
    """

    def forward_plugin(self, x, plugin_names):
        for name in plugin_names:
            x = getattr(self, name)(x)
        return x


class SBBasicBlock(SBBasicBlockMixin, BasicBlock):
    """MMSegmentation's basic block with SB."""


class SBBottleneck(SBBottleneckMixin, Bottleneck):
    """MMSegmentation's bottleneck with SB."""


@MODELS.register_module()
class SBResNet(SBResNetMixin, ResNet):
    """ResNet with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {BasicBlock: SBBasicBlock, Bottleneck: SBBottleneck}

    def make_res_layer(self, block, **kwargs):
        """Pack the blocks of the next stage into a ``ResLayer``."""
        # here, because ResNet asks whether its block is Bottleneck itself
        if block is resnet.Bottleneck:
            block = Bottleneck
        return super().make_res_layer(block=block, **kwargs)


@MODELS.register_module()
class SBResNetV1c(SBResNet):
    """ResNetV1c with SB: a stem of three 3x3 convolutions."""

    def __init__(self, **kwargs):
        super().__init__(deep_stem=True, avg_down=False, **kwargs)


@MODELS.register_module()
class SBResNetV1d(SBResNet):
    """ResNetV1d with SB: also average pooling in the shortcuts."""

    def __init__(self, **kwargs):
        super().__init__(deep_stem=True, avg_down=True, **kwargs)
