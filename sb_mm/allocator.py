"""The memory of the process on the CPU."""
import ctypes
import gc
import os
import re
from contextlib import contextmanager
from pathlib import Path

#: Parameters of glibc's mallopt, see ``man 3 mallopt``: take no block from
#: mmap, give nothing back below 2 GB, and ask for 256 MB more than is needed.
_MALLOPT = {-4: 0, -1: 2**31 - 1, -2: 256 << 20}  # MMAP_MAX, TRIM_, TOP_PAD

_kept = False


def reuse_memory() -> bool:
    """Have glibc keep the memory of freed tensors for the next ones.

    By default it returns every large tensor to the system and asks for it
    anew, at the cost of page faults. It takes effect for the whole process and
    those forked from it. Without glibc, beside another allocator, or with
    ``SB_MM_REUSE_MEMORY=0`` in the environment nothing happens.

    Returns:
        bool: Whether the memory is kept.
    """
    global _kept
    if (not _kept and os.environ.get('SB_MM_REUSE_MEMORY') != '0'
            and allocator() == 'glibc'):
        mallopt = ctypes.CDLL(None).mallopt
        _kept = all([mallopt(*option) for option in _MALLOPT.items()])
    return _kept


def allocator() -> str:
    """str: Name of the allocator, such as 'glibc', 'glibc, memory reused',
    'jemalloc' or 'unknown'."""
    maps = Path('/proc/self/maps')
    loaded = maps.read_text() if maps.exists() else ''
    other = re.search(r'jemalloc|tcmalloc|mimalloc|malloc_debug', loaded)
    if other:
        return other[0]
    if not hasattr(ctypes.CDLL(None), 'gnu_get_libc_version'):
        return 'unknown'
    return 'glibc, memory reused' if _kept else 'glibc'


@contextmanager
def collector_off():
    """Have Python look for no cycles meanwhile.

    While annotations are read it goes over what is there again and again: a
    third of the time of building the dataset of MS-COCO, 17 of 51 s.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
