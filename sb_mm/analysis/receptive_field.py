"""How far a network sees."""
from typing import Callable, Optional, Tuple
import torch


def receptive_field(network: Callable,
                    width: int = 2048,
                    period: int = 32) -> Optional[Tuple[int, int]]:
    """Find what an output can depend on, by what a NaN in the input spoils.

    Unlike a gradient, a NaN passes every operation whatever the weights are,
    so that the answer is exact.

    Args:
        network (Callable): Takes images of shape (1, 3, H, W), gives a map of
            shape (1, C, h, w) whose strides divide ``period``.
        width (int): Width of the image to try in pixels; fields that do not
            fit into it count as the whole image. Defaults to 2048.
        period (int): Number of neighbouring columns to try. Defaults to 32.

    Returns:
        tuple[int, int] or None: The first and the last column of the input
        that an output at column 0 depends on, from its own, in pixels; so
        ``(-45, 45)`` is a receptive field of 91 pixels. None for the whole
        image.
    """
    first = last = 0
    for column in range(width // 2, width // 2 + period):
        x = torch.zeros(1, 3, 32, width)
        x[..., column] = float('nan')
        with torch.no_grad():
            spoilt = network(x)[0].isnan().any(0).any(0)
        stride = width // len(spoilt)
        outputs = spoilt.nonzero().flatten().tolist() or [column // stride]
        if outputs[0] == 0:
            return None
        first = min(first, column - outputs[-1] * stride)
        last = max(last, column - outputs[0] * stride)
    return first, last
