"""What the converters have in common."""
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import mmcv

from ..utils.picture import open_whole


@contextmanager
def new_folder(path):
    """A folder that is there as a whole or not at all.

    Args:
        path (str): Where it comes to be.

    Yields:
        Path: A folder beside it, which is moved there at the end.

    Raises:
        FileExistsError: If there is something already.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f'{path} is there already')
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder, path.name)
        part.mkdir()
        yield part
        shutil.move(part, path)


def read_image(path, flag='color'):
    """Read an image as :func:`mmcv.imread` does.

    Args:
        path (Path): Its file.
        flag (str): 'color', 'grayscale' or 'unchanged'. Defaults to 'color'.

    Returns:
        np.ndarray: Shape (H, W, 3), BGR, or (H, W).

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        open_whole(path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f'{path} cannot be read as an image ({error})') from error
    return mmcv.imread(path, flag)


def expected(found, published):
    """str: 'ok', or how many there are of how many that were published."""
    return 'ok' if found == published else f'{found:,} of {published:,}'
