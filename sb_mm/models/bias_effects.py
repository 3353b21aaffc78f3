"""What the blocks of a network owe to their bias maps."""
import torch
from torch import nn

from .spatial_bias import SpatialBias


def backbone_of(model):
    """nn.Module: The backbone of a model, or of the detector inside of one of
    MMDetection: of the one that learns or, in test mode, predicts where it is
    semi-supervised, and of the one that a tracker has."""
    if isinstance(getattr(model, 'image_encoder', None), nn.Sequential):
        return model.image_encoder[0]  # of a retriever of MMPreTrain
    if hasattr(model, 'teacher') and hasattr(model, 'student'):
        tested = model.semi_test_cfg.get('predict_on', 'teacher')
        model = model.student if model.training else getattr(model, tested)
    return getattr(model, 'detector', model).backbone


def sb_blocks(backbone):
    """dict[str, tuple[nn.Module, nn.Module]]: Block and SB layer by the name
    of the block."""
    blocks = {}
    for name, module in backbone.named_modules():
        if isinstance(module, SpatialBias):
            block = name.rpartition('.')[0]
            blocks[block] = backbone.get_submodule(block), module
    return blocks


@torch.no_grad()
def measure(backbone, blocks, inputs):
    """Maps, and effect, of every block for the first image of the inputs."""
    maps, seen = {}, {}
    hooks = []
    for name, (block, layer) in blocks.items():
        hooks += [
            layer.norm.register_forward_hook(
                lambda _, args, out, name=name: maps.update(
                    {name: out[0].relu()})),
            block.register_forward_hook(
                lambda _, args, out, name=name: seen.update(
                    {name: (args[0], out)}))
        ]
    backbone(inputs)
    for hook in hooks:
        hook.remove()
    effects = {}
    for name, (block, layer) in blocks.items():
        x, y = seen[name]
        hook = layer.norm.register_forward_hook(
            lambda _, args, out: torch.zeros_like(out))
        effects[name] = ((y - block(x)).norm() / y.norm()).item()
        hook.remove()
    return {name: maps[name] for name in blocks}, effects
