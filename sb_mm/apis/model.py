"""The model of a config, and its weights."""
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from ..utils.checkpoint_file import read_safely
from .checks import check_checkpoint, read_config


def build_model(config, cfg_options=None):
    """Build the model of a config, for inference.

    Args:
        config (str): Config file.
        cfg_options (dict, optional): Settings to override. Defaults to None.

    Returns:
        tuple[Config, nn.Module]: The config and the model.

    Raises:
        InputError: If the config does not exist.
    """
    cfg = read_config(config, cfg_options)
    init_default_scope(cfg.get('default_scope'))
    model = MODELS.build(cfg.model)
    model.eval()
    return cfg, model


def load_weights(model, checkpoint, trust=False):
    """Give a model all its weights.

    Args:
        model (nn.Module): Model, changed in place.
        checkpoint (str): Path or address of the weights.
        trust (bool): Whether to read a file with more than weights in it,
            which can run code. Defaults to False.

    Returns:
        dict: The checkpoint.

    Raises:
        InputError: If the checkpoint does not exist.
        CheckpointError: If it cannot be read.
        RuntimeError: If weights are missing, left over or of another shape.
    """
    check_checkpoint(checkpoint)
    read_safely(trust)
    return load_checkpoint(
        model, checkpoint, map_location='cpu', strict=True)
