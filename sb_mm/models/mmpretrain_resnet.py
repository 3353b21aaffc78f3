"""SB backbones in MMPreTrain's scope."""
from mmpretrain.models.backbones.resnet import (BasicBlock, Bottleneck, ResNet,
                                                ResNetV1c, ResNetV1d)
from mmpretrain.models.backbones.resnet_cifar import ResNet_CIFAR
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
class SBResNetV1c(SBResNetMixin, ResNetV1c):
    """ResNetV1c with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNetV1d(SBResNetMixin, ResNetV1d):
    """ResNetV1d with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNeXt(SBResNetMixin, ResNeXt):
    """ResNeXt with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {NeXtBottleneck: SBNeXtBottleneck}


@MODELS.register_module()
class SBResNet_CIFAR(SBResNetMixin, ResNet_CIFAR):
    """The bottleneck ResNet for 32x32 images of the paper, with SB.

    Three stages of n blocks and 16, 32 and 64 base channels; the output has
    256 channels. See :class:`SBResNetMixin` for the arguments; the defaults
    that differ are given here.

    Args:
        depth (int): 9n + 2: 20, 29, 38, …; 38, 65 and 110 in the paper.
        sb_stages (Sequence[bool]): Defaults to ``(True, True, True)``.
        sb_cfg (dict, optional): Defaults to ``dict(pool_size=6)``; what is not
            named keeps the default of :class:`SpatialBias`.
    """
    arch_settings = {9 * n + 2: (Bottleneck, (n, ) * 3) for n in range(2, 112)}
    sb_blocks = SBResNet.sb_blocks

    def __init__(self,
                 depth,
                 stem_channels=16,
                 base_channels=16,
                 num_stages=3,
                 strides=(1, 2, 2),
                 dilations=(1, 1, 1),
                 out_indices=(2, ),
                 sb_stages=(True, True, True),
                 sb_cfg=None,
                 **kwargs):
        super().__init__(
            depth=depth,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=num_stages,
            strides=strides,
            dilations=dilations,
            out_indices=out_indices,
            sb_stages=sb_stages,
            sb_cfg={
                'pool_size': 6,
                **(sb_cfg or {})
            },
            **kwargs)
