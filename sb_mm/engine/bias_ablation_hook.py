from typing import Optional, Sequence

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ..models.bias_effects import backbone_of, sb_blocks


@HOOKS.register_module()
class BiasAblationHook(Hook):
    """Test a network without a part of what its bias maps say.

    What the metrics lose by it is what that part gave. ::

        tools/test.py CONFIG CHECKPOINT --work-dir work_dirs/ablation --cfg-options \\
            default_hooks.ablation.type=BiasAblationHook default_hooks.ablation.maps=mean

    Args:
        maps (str): What the maps are replaced by. 'mean': each map by its own
            mean over the image, so that nothing depends on the position.
            'constant': by the same numbers for all images, the biases of the
            norm, which is what it gives for the mean of the training.
        stages (Sequence[bool], optional): In which stages, a bool for each.
            Defaults to None, in all.

    Raises:
        ValueError: If ``maps`` is another word, ``stages`` has not one bool
            for each stage of the backbone, or there is no SB in them.
    """

    def __init__(self,
                 maps: str,
                 stages: Optional[Sequence[bool]] = None) -> None:
        if maps not in ('mean', 'constant'):
            raise ValueError("BiasAblationHook: maps must be 'mean' or "
                             f"'constant', but got {maps!r}")
        self.maps = maps
        self.stages = stages
        self._handles: list = []

    def before_test(self, runner) -> None:
        """Replace the maps.

        Args:
            runner (Runner): The runner of the process.
        """
        model = runner.model
        while hasattr(model, 'module'):  # of several processes, of flips
            model = model.module
        backbone = backbone_of(model)
        blocks = sb_blocks(backbone)
        if self.stages is not None:
            layers = backbone.res_layers
            if len(self.stages) != len(layers):
                raise ValueError(
                    'BiasAblationHook: stages must have one bool for each of '
                    f'the {len(layers)} stages, but got {self.stages!r}')
            chosen = [name for name, on in zip(layers, self.stages) if on]
            blocks = {name: block for name, block in blocks.items()
                      if name.split('.')[0] in chosen}
        if not blocks:
            raise ValueError(
                f'BiasAblationHook: {type(backbone).__name__} has no SB'
                + (f' in the stages {self.stages!r}' if self.stages else ''))
        self._handles = [
            layer.norm.register_forward_hook(self._replace)
            for _, layer in blocks.values()
        ]

    def after_test(self, runner) -> None:
        """Undo it.

        Args:
            runner (Runner): The runner of the process.
        """
        while self._handles:
            self._handles.pop().remove()

    def _replace(self, norm, args, out):
        maps = (out.mean((2, 3), keepdim=True) if self.maps == 'mean' else
                norm.bias.to(out.dtype).view(1, -1, 1, 1))
        # a copy: the ReLU of the plugin works in place
        return maps.expand_as(out).clone()
