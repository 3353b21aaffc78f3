"""SB backbones in MMDetection's scope."""
from mmdet.models.backbones.resnet import (BasicBlock, Bottleneck, ResNet,
                                           ResNetV1d)
from mmdet.models.backbones.resnext import Bottleneck as NeXtBottleneck
from mmdet.models.backbones.resnext import ResNeXt
from mmdet.registry import MODELS

from .residual_block import SBBasicBlockMixin, SBBottleneckMixin
from .sb_resnet import SBResNetMixin


class SBBasicBlock(SBBasicBlockMixin, BasicBlock):
    """MMDetection's basic block with SB."""


class SBBottleneck(SBBottleneckMixin, Bottleneck):
    """MMDetection's bottleneck with SB."""


class SBNeXtBottleneck(SBBottleneckMixin, NeXtBottleneck):
    """MMDetection's ResNeXt bottleneck with SB."""


@MODELS.register_module()
class SBResNet(SBResNetMixin, ResNet):
    """ResNet with SB, see :class:`SBResNetMixin` for the arguments.

    Example:
        >>> import torch
        >>> from sb_mm.models.mmdet_resnet import SBResNet
        >>> net = SBResNet(depth=50).eval()
        >>> [tuple(x.shape) for x in net(torch.rand(1, 3, 64, 64))]
        [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 4, 4), (1, 2048, 2, 2)]
    """
    sb_blocks = {BasicBlock: SBBasicBlock, Bottleneck: SBBottleneck}


@MODELS.register_module()
class SBResNetV1d(SBResNetMixin, ResNetV1d):
    """ResNetV1d with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNeXt(SBResNetMixin, ResNeXt):
    """ResNeXt with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {NeXtBottleneck: SBNeXtBottleneck}
