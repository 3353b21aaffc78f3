"""Files that are there as a whole or not at all."""
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def scratch_file(dst: Path) -> Iterator[Path]:
    """A file beside ``dst`` to write to and to rename when it is complete; what
    is left of it is removed.

    Args:
        dst (Path): The file that it is for. Its folder is made.

    Yields:
        Path: The file to write to.
    """
    dst.parent.mkdir(parents=True, exist_ok=True)
    scratch = dst.with_name(f'.{dst.name}.part')
    try:
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)
