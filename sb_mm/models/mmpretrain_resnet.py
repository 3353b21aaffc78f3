"""SB backbones in MMPreTrain's scope."""
from mmpretrain.models.backbones.resnet import (BasicBlock, Bottleneck, ResNet,
                                                ResNetV1c, ResNetV1d)
from mmpretrain.models.backbones.resnet_cifar import ResNet_CIFAR
from mmpretrain.models.backbones.resnext import Bottleneck as NeXtBottleneck
from mmpretrain.models.backbones.resnext import ResNeXt
from mmpretrain.registry import MODELS

from .residual_block import (PluginBottleneckMixin, SBBasicBlockMixin,
                             SBBottleneckMixin)
from .sb_resnet import SBResNetMixin


class SBBasicBlock(SBBasicBlockMixin, BasicBlock):
    """MMPreTrain's basic block with SB."""


class PluginBottleneck(PluginBottleneckMixin, Bottleneck):
    """MMPreTrain's bottleneck with plugins."""


class SBBottleneck(SBBottleneckMixin, PluginBottleneck):
    """MMPreTrain's bottleneck with SB."""


class PluginNeXtBottleneck(PluginBottleneckMixin, NeXtBottleneck):
    """MMPreTrain's ResNeXt bottleneck with plugins."""


class SBNeXtBottleneck(SBBottleneckMixin, PluginNeXtBottleneck):
    """MMPreTrain's ResNeXt bottleneck with SB."""


class PluginsMixin:
    """Gives MMPreTrain's ResNets the ``plugins`` of the other toolboxes.

    So a classifier can be trained with the plugins that a detector or a
    segmentor starts with.

    Args:
        plugins (list[dict], optional): Plugins of the bottlenecks as in
            :class:`mmdet.models.backbones.ResNet`: ``cfg``, ``position`` and
            ``stages``, a bool for each stage, by default all. Defaults to
            None.
        **kwargs: Those of the ResNet.

    Raises:
        ValueError: If ``stages`` has not one bool for each stage, or the
            blocks are basic blocks, which have no place for plugins.
    """

    #: Block with plugins for each plain block.
    plugin_blocks = {
        Bottleneck: PluginBottleneck,
        NeXtBottleneck: PluginNeXtBottleneck
    }

    def __init__(self, depth, num_stages=4, plugins=None, **kwargs):
        for plugin in plugins or ():
            stages = plugin.get('stages', (True, ) * num_stages)
            if len(stages) != num_stages:
                raise ValueError(
                    f'plugins: stages must have one bool for each of the '
                    f'{num_stages} stages (num_stages), but got {stages!r}')
        self.plugins = plugins or ()
        super().__init__(depth=depth, num_stages=num_stages, **kwargs)

    def make_res_layer(self, block, **kwargs):
        """Pack the blocks of the next stage into a ``ResLayer``."""
        stage = len(self.res_layers)
        plugins = [
            plugin for plugin in self.plugins
            if 'stages' not in plugin or plugin['stages'][stage]
        ]
        if plugins:
            block = self.plugin_blocks.get(block, block)
            if not issubclass(block, PluginBottleneckMixin):
                raise ValueError(f'plugins: {block.__name__} takes none, '
                                 'bottlenecks do (depth 50 and more)')
            kwargs['plugins'] = plugins
        return super().make_res_layer(block=block, **kwargs)


@MODELS.register_module()
class SBResNet(SBResNetMixin, PluginsMixin, ResNet):
    """ResNet with SB, see :class:`SBResNetMixin` and :class:`PluginsMixin` for
    the arguments."""
    sb_blocks = {BasicBlock: SBBasicBlock, Bottleneck: SBBottleneck}


@MODELS.register_module()
class SBResNetV1c(SBResNetMixin, PluginsMixin, ResNetV1c):
    """ResNetV1c with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNetV1d(SBResNetMixin, PluginsMixin, ResNetV1d):
    """ResNetV1d with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = SBResNet.sb_blocks


@MODELS.register_module()
class SBResNeXt(SBResNetMixin, PluginsMixin, ResNeXt):
    """ResNeXt with SB, see :class:`SBResNetMixin` for the arguments."""
    sb_blocks = {NeXtBottleneck: SBNeXtBottleneck}


@MODELS.register_module()
class SBResNet_CIFAR(SBResNetMixin, PluginsMixin, ResNet_CIFAR):
    """ResNet for images of 32x32 with SB.

    Beside the depths of MMPreTrain's own, with its arguments, it has the
    bottleneck networks of the paper: three stages of n blocks and 16, 32 and
    64 base channels, whose output has 256 channels. See
    :class:`SBResNetMixin` for the arguments.

    Args:
        depth (int): 18, 34, 50, 101 or 152 for MMPreTrain's; 9n + 2 for the
            paper's: 20, 29, 38, …; 38, 65 and 110 in the paper.
        sb_cfg (dict, optional): Defaults to ``dict(pool_size=6)``; what is not
            named keeps the default of :class:`SpatialBias`.
        **kwargs: Those of :class:`SBResNetMixin`.
    """
    arch_settings = {
        **{9 * n + 2: (Bottleneck, (n, ) * 3) for n in range(2, 112)},
        **ResNet_CIFAR.arch_settings
    }
    sb_blocks = SBResNet.sb_blocks

    def __init__(self, depth, sb_cfg=None, **kwargs):
        if depth not in ResNet_CIFAR.arch_settings:
            kwargs = {**_CIFAR_OF_THE_PAPER, **kwargs}
        super().__init__(
            depth=depth, sb_cfg={
                'pool_size': 6,
                **(sb_cfg or {})
            }, **kwargs)


_CIFAR_OF_THE_PAPER = dict(
    stem_channels=16,
    base_channels=16,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(2, ))
