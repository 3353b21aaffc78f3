"""SB backbones in MMSegmentation's scope."""
from mmseg.models.backbones.resnet import (BasicBlock, Bottleneck, ResNet,
                                           ResNetV1c, ResNetV1d)
from mmseg.registry import MODELS

from .residual_block import SBBasicBlockMixin, SBBottleneckMixin
from .sb_resnet import SBResNetMixin


class SBBasicBlock(SBBasicBlockMixin, BasicBlock):
    """MMSegmentation's basic block with SB."""


class SBBottleneck(SBBottleneckMixin, Bottleneck):
    """MMSegmentation's bottleneck with SB."""


@MODELS.register_module()
class SBResNet(SBResNetMixin, ResNet):
    """ResNet with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {BasicBlock: SBBasicBlock, Bottleneck: SBBottleneck}


@MODELS.register_module()
class SBResNetV1c(SBResNetMixin, ResNetV1c):
    """ResNetV1c with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNetV1d(SBResNetMixin, ResNetV1d):
    """ResNetV1d with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks
