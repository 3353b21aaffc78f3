from mmengine.model import is_model_wrapper
from mmpretrain.engine import VisualizationHook
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class LoadedColoursVisualizationHook(VisualizationHook):
    """MMPreTrain's hook, which takes the loaded image for RGB, with the colours
    right where it was loaded as BGR."""

    def after_test_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        """Draw the samples of a batch.

        Args:
            runner (Runner): The runner of the process.
            batch_idx (int): Index of the batch.
            data_batch (dict): Data of the batch.
            outputs (Sequence[DataSample]): Predictions.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if model.data_preprocessor.to_rgb:
            inputs = [image.flip(0) for image in data_batch['inputs']]
            data_batch = dict(data_batch, inputs=inputs)
        super().after_test_iter(runner, batch_idx, data_batch, outputs)
