import logging
from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner.amp import autocast
from torch import nn
from torch.nn import functional as F


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train in bfloat16 by autocast, on a CPU too.

    MMEngine's ``AmpOptimWrapper`` wants a GPU, for the scaling of the loss that
    float16 needs and bfloat16 does not. It pays on processors that compute in
    bfloat16, such as AMD's since Zen 4 and Intel's since Cooper Lake, and a warning
    says where it does not; tests stay in float32. The operators of ``mmcv.ops``,
    RoIAlign among them, have no bfloat16 on a CPU. ::

        optim_wrapper = dict(type='BFloat16OptimWrapper')
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        param = self.optimizer.param_groups[0]['params'][0]
        if param.device.type == 'cpu' and (ratio := _cost_of_bfloat16()) > 1.2:
            print_log(
                f'a convolution takes {ratio:.1f} times as long in bfloat16 as '
                'in float32 on this processor: optim_wrapper.type=OptimWrapper '
                'trains in float32', 'current', logging.WARNING)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute what a step computes under autocast.

        Args:
            model (nn.Module): The model in training.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


def _cost_of_bfloat16():
    """float: Time of a 3×3 convolution on one CPU thread, relative to
    float32."""
    # it brings the building of C++ extensions, which every import would wait for
    from torch.utils.benchmark import Timer
    x, weight = torch.ones(4, 64, 16, 16), torch.ones(64, 64, 3, 3)
    seconds = [
        Timer(
            'conv2d(x, weight)',
            globals=dict(conv2d=F.conv2d, x=x.to(dtype), weight=weight.to(dtype)),
        ).blocked_autorange(min_run_time=.05).median
        for dtype in (torch.float32, torch.bfloat16)
    ]
    return seconds[1] / seconds[0]
