import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS, MODELS


@HOOKS.register_module()
class SameStartHook(Hook):
    """Start a network from the random weights of its twin, where names agree.

    So networks that are compared differ in what one has and the other has
    not, and not in the draw of the rest. Of a convolution with more input
    channels, such as the one that reads bias maps, the others stay its own.
    A run that is resumed, and one that loads a checkpoint, starts from that.

    Args:
        twin (dict): In what the model of the twin differs, such as
            ``dict(backbone=dict(type='ResNet', plugins=None))``.
    """
    priority = 'HIGHEST'

    def __init__(self, twin):
        self.twin = twin

    def before_train(self, runner) -> None:
        """Copy the weights.

        Args:
            runner (Runner): The runner of the process.
        """
        if runner.iter or runner.cfg.get('load_from'):
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(runner.seed)
            twin = MODELS.build(
                Config._merge_a_into_b(self.twin, runner.cfg.model))
            twin.init_weights()
        given = twin.state_dict()
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        own = model.state_dict()  # shares the memory
        same = [name for name in given if name in own]
        for name in same:
            target = own[name]
            if target.dim() > 1:
                target = target[:, :given[name].size(1)]
            if target.shape != given[name].shape:
                raise ValueError(
                    f'SameStartHook: {name} has the shape '
                    f'{tuple(own[name].shape)}, and {tuple(given[name].shape)}'
                    ' in the twin')
            target.copy_(given[name])
        runner.logger.info(f'{len(same)} of {len(own)} tensors start as in the'
                           ' twin.')
