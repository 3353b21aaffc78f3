from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from ..models.bias_effects import backbone_of, measure, sb_blocks


@HOOKS.register_module()
class BiasEffectHook(Hook):
    """Log how much of each block's output is owed to its bias maps.

    ``effect/layer1.0`` and so on are ``‖y - y₀‖ / ‖y‖``, with y₀ the output
    when the maps are zero, for the first image of the batch and in test mode.
    Near 0 the branch of the block does nothing. The training itself does not
    change. ::

        custom_hooks = [dict(type='BiasEffectHook', interval=50)]

    Args:
        interval (int): Iterations from one measurement to the next. Defaults
            to 50.
    """

    def __init__(self, interval=50):
        self.interval = interval

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        """Measure and log.

        Args:
            runner (Runner): The runner of the process.
            batch_idx (int): Index of the batch.
            data_batch (dict): The batch.
            outputs (dict): Its losses.
        """
        if not self.every_n_train_iters(runner, self.interval):
            return
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        backbone = backbone_of(model)
        blocks = sb_blocks(backbone)
        if not blocks:
            return
        model.eval()
        preprocess = model.data_preprocessor
        if isinstance(data_batch['inputs'], dict):  # of a teacher and a student
            images = next(iter(data_batch['inputs'].values()))
            data_batch = dict(inputs=[x for x in images if x is not None],
                              data_samples=None)
            preprocess = preprocess.data_preprocessor
        inputs = preprocess(data_batch)['inputs']
        if isinstance(inputs, list):  # views
            inputs = inputs[0]
        effects = measure(backbone, blocks, inputs[:1])[1]
        model.train()
        for name, effect in effects.items():
            runner.message_hub.update_scalar(f'train/effect/{name}', effect)
