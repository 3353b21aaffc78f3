import torch
import torch.nn.functional as F
from torch import Tensor

# PyTorch 2.1 cannot be asked
_is_compiling = getattr(torch.compiler, 'is_compiling', lambda: True)


def adaptive_avg_pool(x: Tensor, size: int) -> Tensor:
    """``adaptive_avg_pool2d`` to a square.

    Where it has to be deterministic, which that operator is not on CUDA, and
    where it is traced, exported or compiled, once for all sizes, it is a product
    with two matrices.

    Args:
        x (Tensor): Shape (N, C, H, W).
        size (int): Height and width of the result, k.

    Returns:
        Tensor: Shape (N, C, k, k).
    """
    recorded = torch.jit.is_tracing() or _is_compiling()
    if recorded or torch.are_deterministic_algorithms_enabled():
        return pool_by_matrices(x, size)
    return F.adaptive_avg_pool2d(x, size)


def pool_by_matrices(x: Tensor, size: int) -> Tensor:
    """:func:`adaptive_avg_pool` as a product with two matrices.

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
