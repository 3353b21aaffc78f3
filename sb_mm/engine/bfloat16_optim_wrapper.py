from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner.amp import autocast
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train in bfloat16 by autocast, on a CPU too.

    MMEngine's ``AmpOptimWrapper`` wants a GPU, for the scaling of the loss that
    float16 needs and bfloat16 does not. It pays on processors that compute in
    bfloat16, such as AMD's since Zen 4 and Intel's since Cooper Lake; tests stay in
    float32. The operators of ``mmcv.ops``, RoIAlign among them, have no bfloat16
    on a CPU. ::

        optim_wrapper = dict(type='BFloat16OptimWrapper')
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute what a step computes under autocast.

        Args:
            model (nn.Module): The model in training.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
