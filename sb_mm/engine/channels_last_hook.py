import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train and test in PyTorch's channels_last memory format.

    The weights are converted once; the convolutions hand the format on to the
    features. ::

        custom_hooks = [dict(type='ChannelsLastHook')]
    """
    priority = 'VERY_HIGH'

    # once the weights are there: random ones would come out in another order

    def before_train(self, runner) -> None:
        """Convert the model.

        Args:
            runner (Runner): The runner of the process.
        """
        to_channels_last(runner.model)

    before_val = before_test = before_train


def to_channels_last(model: nn.Module) -> nn.Module:
    """Convert a model to channels_last, in place.

    Two kinds of layers stay contiguous, and so do their inputs. The layers of
    ``mmcv.ops``, RoIAlign and deformable convolutions among them, take every
    tensor for a contiguous one, and read the wrong values otherwise. And the
    backward pass of oneDNN's 1x1 convolution with a stride and fewer than 16
    input channels writes past its workspace in channels_last
    (uxlfoundation/oneDNN#6035): wrong gradients, or a crash.

    Args:
        model (nn.Module): Model.

    Returns:
        nn.Module: The same model.
    """
    # PyTorch's hints lack the argument
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in model.modules():
        if _is_of_mmcv_ops(module) or _writes_past_its_workspace(module):
            module.to(  # type: ignore[call-overload]
                memory_format=torch.contiguous_format)
            if _make_contiguous not in module._forward_pre_hooks.values():
                module.register_forward_pre_hook(_make_contiguous)
    return model


def _is_of_mmcv_ops(module):
    return any(
        cls.__module__.startswith('mmcv.ops.') for cls in type(module).__mro__)


def _writes_past_its_workspace(module):
    return (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
            and module.stride != (1, 1)
            and module.in_channels // module.groups < 16)


def _make_contiguous(module, args):
    return tuple(
        arg.contiguous() if torch.is_tensor(arg) else arg for arg in args)
