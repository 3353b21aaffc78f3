"""SB backbones in MMPreTrain's scope."""
from mmpretrain.models.backbones.resnet import (BasicBlock, Bottleneck, ResNet,
                                                ResNetV1d)
from mmpretrain.models.backbones.resnext import Bottleneck as NeXtBottleneck
from mmpretrain.models.backbones.resnext import ResNeXt
from mmpretrain.registry import MODELS

from .residual_block import SBBasicBlockMixin, SBBottleneckMixin
from .sb_resnet import SBResNetMixin


class SBBasicBlock(SBBasicBlockMixin, BasicBlock):
    """MMPreTrain's basic block with SB."""


class SBBottleneck(SBBottleneckMixin, Bottleneck):
    """MMPreTrain's bottleneck with SB."""


class SBNeXtBottleneck(SBBottleneckMixin, NeXtBottleneck):
    """MMPreTrain's ResNeXt bottleneck with SB."""


@MODELS.register_module()
class SBResNet(SBResNetMixin, ResNet):
    """ResNet with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {BasicBlock: SBBasicBlock, Bottleneck: SBBottleneck}


@MODELS.register_module()
class SBResNetV1d(SBResNetMixin, ResNetV1d):
    """ResNetV1d with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNeXt(SBResNetMixin, ResNeXt):
    """ResNeXt with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {NeXtBottleneck: SBNeXtBottleneck}
