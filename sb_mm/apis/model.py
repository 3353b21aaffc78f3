"""The model of a config, and its weights."""
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from ..utils.checkpoint_file import read_safely
from .checks import InputError, check_checkpoint, read_config


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


def check_classifier(model, hint=''):
    """Refuse what MMPreTrain has beside classifiers.

    Args:
        model (nn.Module): A model of MMPreTrain.
        hint (str): What else can be done, for the message. Defaults to ''.

    Raises:
        InputError: If it is none.
    """
    from mmpretrain.models import BaseClassifier
    if not isinstance(model, BaseClassifier):
        raise InputError(f'of the models of MMPreTrain this takes classifiers '
                         f'alone, and {type(model).__name__} is none{hint}')


def is_multi_label(model):
    """bool: Whether a classifier gives an image any number of labels."""
    from mmpretrain.models import MultiLabelClsHead
    return isinstance(getattr(model, 'head', None), MultiLabelClsHead)


def load_weights(model, checkpoint, trust=False):
    """Give a model all its weights.

    Args:
        model (nn.Module): Model, changed in place.
        checkpoint (str or Path): Path or address of the weights.
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
        model, str(checkpoint), map_location='cpu', strict=True)
