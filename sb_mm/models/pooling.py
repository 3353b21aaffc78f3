import torch
from torch import Tensor


def adaptive_avg_pool(x: Tensor, size: int) -> Tensor:
    """``adaptive_avg_pool2d`` to a square, as a product with two matrices.

    Unlike that one it has a deterministic backward on CUDA, is exported to
    ONNX for any size, and compiles once for all sizes.

    Args:
        x (Tensor): Shape (N, C, H, W).
        size (int): Height and width of the result, k.

    Returns:
        Tensor: Shape (N, C, k, k).
    """
    rows, columns = pooling_matrix(x, 2, size), pooling_matrix(x, 3, size)
    return rows @ (x @ columns.t())


def pooling_matrix(x: Tensor, dim: int, size: int) -> Tensor:
    """The mean over a dimension's positions for each of ``size`` outputs.

    Output o averages the positions from floor(o n / k) to ceil((o + 1) n / k),
    where n is the number of positions and k that of outputs.

    Args:
        x (Tensor): Tensor to pool.
        dim (int): Dimension to pool over.
        size (int): Number of outputs, k.

    Returns:
        Tensor: Shape (k, n), with the type of ``x``.
    """
    n = x.size(dim)
    position = torch.arange(0, n * size, size, device=x.device)  # times k
    start = torch.arange(0, n * size, n, device=x.device)[:, None]  # times k
    offset = position - start
    inside = ((offset > -size) & (offset < n)).to(x.dtype)
    return inside / inside.sum(1, keepdim=True)
