import inspect
import logging

from mmengine.logging import print_log
from mmengine.runner.checkpoint import (get_external_models,
                                        get_torchvision_models)

from .residual_block import SBBlockMixin
from .spatial_bias import SpatialBias


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
        sb_stages (Sequence[bool]): Whether the blocks of each stage have SB.
            Defaults to ``(True, True, True, False)``, as in the paper.
        sb_cfg (dict, optional): Settings of :class:`SpatialBias`:
            ``num_maps``, ``kernel_size``, ``pool_size``, ``norm_cfg``,
            ``init_cfg``. Defaults to None: 3, 3, 10 and the norm of the block.
        sb_pretrained (bool): Whether the SB branches come with the checkpoint,
            so that ``frozen_stages`` and ``norm_eval`` cover them too.
            Defaults to False.
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
                 sb_stages=(True, True, True, False),
                 sb_cfg=None,
                 sb_pretrained=False,
                 **kwargs):
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
        super().__init__(depth=depth, num_stages=num_stages, **kwargs)

    def make_res_layer(self, block, **kwargs):
        """Pack the blocks of the next stage into a ``ResLayer``."""
        if self.sb_stages[len(self.res_layers)]:
            block = self.sb_blocks[block]
            kwargs['sb_cfg'] = self.sb_cfg
        return super().make_res_layer(block=block, **kwargs)

    def _blocks(self, *layers):
        """Yield the name and the module of every SB block in the stages."""
        for layer in layers or self.res_layers:
            for i, block in enumerate(getattr(self, layer)):
                if isinstance(block, SBBlockMixin):
                    yield f'{layer}.{i}', block

    def _freeze_stages(self):
        super()._freeze_stages()
        frozen = self.res_layers[:max(self.frozen_stages, 0)]
        if frozen and not self.sb_pretrained:
            for _, block in self._blocks(*frozen):
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
            for _, block in self._blocks():
                block.spatial_bias.train()
        return self

    def init_weights(self):
        """Initialize the weights.

        Raises:
            RuntimeError: If pretrained weights cannot be had. The message
                names their address and how to do without.
        """
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

    def _rename_to_this_toolbox(self, state_dict, prefix):
        """Rename what the toolboxes name differently, in place: a deep stem is
        three ``ConvModule`` in MMPreTrain and nine layers in the others, and
        a shortcut of ResNetV1d pools before its convolution or has stride 1
        and does not."""
        names = {}
        if self.deep_stem:
            flat = [f'stem.{i}' for i in (0, 1, 3, 4, 6, 7)]
            packed = [
                f'stem.{i}.{part}' for i in range(3) for part in ('conv', 'bn')
            ]
            if hasattr(self.stem[0], 'conv'):
                flat, packed = packed, flat
            names.update(zip(packed, flat))
        for layer in self.res_layers:
            shortcut = f'{layer}.0.downsample'
            layers = getattr(self, layer)[0].downsample
            pools = layers is not None and len(layers) == 3
            given_pools = f'{prefix}{shortcut}.2.weight' in state_dict
            if layers is not None and pools != given_pools:
                shift = 1 if pools else -1
                names.update({
                    f'{shortcut}.{i - shift}': f'{shortcut}.{i}'
                    for i in ((1, 2) if pools else (0, 1))
                })
        renamed = {}
        for key in list(state_dict):
            module, _, tensor = key.removeprefix(prefix).rpartition('.')
            if key.startswith(prefix) and module in names:
                renamed[f'{prefix}{names[module]}.{tensor}'] = state_dict.pop(
                    key)
        state_dict.update(renamed)

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        self._rename_to_this_toolbox(state_dict, prefix)
        extended = sum(
            block.read_plain_weights(state_dict, f'{prefix}{name}.')
            for name, block in self._blocks())
        for name, own in self.state_dict().items():
            given = state_dict.get(prefix + name)
            if given is not None and given.shape != own.shape:
                raise ValueError(
                    f'{prefix}{name} of the checkpoint has the shape '
                    f'{tuple(given.shape)}, which fits neither this network '
                    f'({tuple(own.shape)}) nor its plain twin')
        if extended:
            print_log(
                f'{type(self).__name__}: {extended} blocks of a plain '
                'checkpoint extended by SB; the outputs are those of the '
                'plain network.',
                logger='current')
            if self.sb_pretrained and (self.frozen_stages > 0
                                       or self.norm_eval):
                print_log(
                    f'{type(self).__name__}: sb_pretrained=True, but the '
                    'checkpoint has no SB weights: frozen_stages='
                    f'{self.frozen_stages} and norm_eval={self.norm_eval} '
                    'keep new SB branches fixed. Set sb_pretrained=False.',
                    logger='current',
                    level=logging.WARNING)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


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
