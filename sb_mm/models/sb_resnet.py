import inspect
import logging
import re

from mmengine.logging import print_log
from mmengine.runner.checkpoint import (get_external_models,
                                        get_torchvision_models)
from torch import nn

from .plain_weights import check_shapes
from .residual_block import SBBlockMixin
from .spatial_bias import SpatialBias
from .weight_names import rename_to_this_toolbox


class SBResNetMixin:
    """Mixin that gives the ResNet of a toolbox blocks with SB.

    Below ``sb_stages`` means a plain ResNet: where it is off, the stage is
    built from the toolbox's own blocks.

    **Plain checkpoints** load by every ordinary means (``init_cfg``,
    ``load_from``, ``load_state_dict``). The network then computes exactly what
    the plain one does, because the weights that read the bias maps start at
    zero, and learns from there. A tensor that fits neither the plain nor the
    SB network is an error.

    **Freezing.** ``frozen_stages``, ``norm_eval`` and
    ``norm_cfg=dict(requires_grad=False)`` protect weights that came with a
    checkpoint. By default the SB branches did not, so they stay trainable in
    every stage, as does the weight that reads the maps (``conv3``, in a basic
    block ``conv2``), and their norms use the statistics of the batch. With
    ``sb_pretrained=True`` they are treated as everything else.

    Args:
        depth (int): Depth of the ResNet.
        num_stages (int): Number of stages. Defaults to 4.
        sb_stages (Sequence[bool], optional): Whether the blocks of each stage
            have SB. Defaults to None, the first three stages as in the paper.
        sb_cfg (dict, optional): Settings of :class:`SpatialBias`:
            ``num_maps``, ``kernel_size``, ``pool_size``, ``norm_cfg``,
            ``init_cfg``. Defaults to None: 3, 3, 10 and the norm of the block,
            with one group if that is GN.
        sb_pretrained (bool): Whether the SB branches come with the checkpoint,
            so that ``frozen_stages`` and ``norm_eval`` cover them too.
            Defaults to False.
        sb_zero_init (bool): Whether :meth:`init_weights` lets the weights that
            read the bias maps start at zero too, so that the network begins as
            the plain one does. Defaults to False, random ones as in the paper.
        **kwargs: The toolbox's own arguments of the ResNet.

    Raises:
        ValueError: If ``sb_stages`` is not one bool for each stage, or
            ``sb_cfg`` has an unknown key or a value that is not allowed.
    """

    #: SB block for each plain block, e.g. ``{Bottleneck: SBBottleneck}``.
    sb_blocks: dict

    def __init__(self,
                 depth,
                 num_stages=4,
                 sb_stages=None,
                 sb_cfg=None,
                 sb_pretrained=False,
                 sb_zero_init=False,
                 **kwargs):
        if sb_stages is None:
            sb_stages = tuple(i < 3 for i in range(num_stages))
        if (not isinstance(sb_stages, (tuple, list))
                or len(sb_stages) != num_stages
                or not all(isinstance(flag, bool) for flag in sb_stages)):
            raise ValueError(
                f'sb_stages must have one bool for each of the {num_stages} '
                f'stages (num_stages), but got {sb_stages!r}')
        sb_cfg = {} if sb_cfg is None else dict(sb_cfg)
        allowed = set(inspect.signature(SpatialBias).parameters)
        allowed -= {'in_channels'}
        if not allowed.issuperset(sb_cfg):
            raise ValueError(
                f'sb_cfg has unknown keys {sorted(set(sb_cfg) - allowed)}; '
                f'allowed are {sorted(allowed)}')
        self.sb_stages = tuple(sb_stages)
        self.sb_cfg = sb_cfg
        self.sb_pretrained = sb_pretrained
        self.sb_zero_init = sb_zero_init
        super().__init__(depth=depth, num_stages=num_stages, **kwargs)
        self.register_load_state_dict_post_hook(_report_extended)

    def make_res_layer(self, block, **kwargs):
        """Pack the blocks of the next stage into a ``ResLayer``."""
        if self.sb_stages[len(self.res_layers)]:
            block = self.sb_blocks[block]
            kwargs['sb_cfg'] = self.sb_cfg
        return super().make_res_layer(block=block, **kwargs)

    def _blocks(self, *layers):
        """Yield every SB block of the stages, wrapped or not."""
        for layer in layers or self.res_layers:
            for module in getattr(self, layer).modules():
                if isinstance(module, SBBlockMixin):
                    yield module

    def _freeze_stages(self):
        super()._freeze_stages()
        frozen = self.res_layers[:max(self.frozen_stages, 0)]
        if frozen and not self.sb_pretrained:
            for block in self._blocks(*frozen):
                for param in block.sb_parameters:
                    param.requires_grad = True

    def train(self, mode=True):
        """Set the mode, except for what ``frozen_stages`` and ``norm_eval``
        keep fixed.

        Returns:
            nn.Module: The network itself.
        """
        super().train(mode)
        if mode and not self.sb_pretrained:
            for block in self._blocks():
                block.spatial_bias.train()
        return self

    def init_weights(self):
        """Initialize the weights.

        Raises:
            RuntimeError: If pretrained weights cannot be had, or nothing of
                them fits. The message names their address, and how to do
                without or which prefix they have.
        """
        initialized = self.is_init
        self._unfit = None  # as long as no checkpoint is read
        try:
            super().init_weights()
        except OSError as error:
            cfg = self.init_cfg if isinstance(self.init_cfg, dict) else {}
            checkpoint = cfg.get('checkpoint')
            if checkpoint is None:
                raise
            option, file = 'model.backbone.init_cfg', '.checkpoint'
            if getattr(self, 'pretrained', None):  # MMSegmentation's way
                option, file = 'model.pretrained', ''
            raise RuntimeError(
                f'The pretrained weights {_address(checkpoint)} cannot be '
                f'had ({error}). Give a local file with "--cfg-options '
                f'{option}{file}=FILE", or start from random weights with '
                f'"--cfg-options {option}=None".') from error
        if self._unfit:  # MMEngine passes over it with a line of the log
            found = re.search(
                r'^(.+?\.)(?:layer1\.0|res2\.0|embedder\.embedder)\.',
                '\n'.join(self._unfit), re.MULTILINE)
            raise RuntimeError(
                f'nothing of the pretrained weights {self.init_cfg["checkpoint"]}'
                f' fits {type(self).__name__}: they begin with '
                f'{", ".join(self._unfit[:3])}' +
                (f'; init_cfg takes prefix={found[1]!r}' if found else ''))
        # not by the blocks: the stages of MMPreTrain do not ask them
        if self.sb_zero_init and self._unfit is None and not initialized:
            for block in self._blocks():
                reader = getattr(block, block.reader)
                nn.init.zeros_(reader.weight[:, -reader.num_maps:])

    def _load_from_state_dict(self, state_dict, prefix, *args):
        rename_to_this_toolbox(self, state_dict, prefix)
        check_shapes(self, self._blocks(), state_dict, prefix)
        known = any(prefix + name in state_dict
                    for name, _ in self.named_parameters())
        self._unfit = [] if known else list(state_dict)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _report_extended(net, incompatible_keys):
    """Say how many blocks took the weights of a plain block."""
    blocks = list(net._blocks())
    extended = sum(block.extended for block in blocks)
    if not extended:
        return
    name = type(net).__name__
    print_log(
        f'{name}: {extended} of {len(blocks)} blocks took plain weights; '
        'their bias maps count for nothing yet.',
        logger='current')
    if net.sb_pretrained and (net.frozen_stages > 0 or net.norm_eval):
        print_log(
            f'{name}: sb_pretrained=True, but the checkpoint has no SB '
            f'weights: frozen_stages={net.frozen_stages} and '
            f'norm_eval={net.norm_eval} keep new SB branches fixed. Set '
            'sb_pretrained=False.',
            logger='current',
            level=logging.WARNING)


def _address(checkpoint):
    """Where mmengine's loader looks for a checkpoint, e.g. the URL behind
    ``torchvision://resnet50``."""
    scheme, _, name = checkpoint.partition('://')
    known = {
        'torchvision': get_torchvision_models,
        'open-mmlab': get_external_models,
        'openmmlab': get_external_models
    }
    url = known[scheme]().get(name) if scheme in known else None
    return f'{checkpoint} ({url})' if url else checkpoint
