"""What all our pictures have in common."""
import re

from PIL import ExifTags, Image

#: Colours that the colour-blind can tell apart (Petroff, arXiv:2107.02270),
#: the greys last, and black: as many as there are markers and one, so that no
#: two of 110 networks have both in common.
_COLOURS = ('#3f90da', '#ffa90e', '#bd1f01', '#832db6', '#a96b59', '#e76300',
            '#92dadd', '#b9ac70', '#94a4a2', '#717581', '#000000')
_MARKERS = 'osv^D<>Pp*'


def open_whole(path):
    """Open an image with Pillow, and read all of it: OpenCV is content with a
    part.

    Args:
        path (str or Path): Its file.

    Returns:
        Image: The image.

    Raises:
        OSError, SyntaxError or ValueError: If it cannot be read, by its format.
    """
    image = Image.open(path)
    image.load()
    return image


def size_as_read(path, pipeline):
    """The size of an image as a pipeline reads it: turned as its EXIF says, if
    the pipeline has not been told to ignore that.

    Args:
        path (str or Path): Its file.
        pipeline (Sequence[dict]): Transforms.

    Returns:
        tuple[int, int]: Width and height.

    Raises:
        OSError, SyntaxError or ValueError: If it cannot be read, by its format.
    """
    image = open_whole(path)
    turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    ignored = any(
        re.search('ignore_orientation|unchanged', step.get('color_type', ''))
        for step in pipeline)
    return image.size[::-1] if turned and not ignored else image.size


def network_styles(names):
    """Colour and marker of networks, the same in all pictures of the same
    ones.

    Args:
        names (Iterable[str]): Their names, in any order.

    Returns:
        dict[str, dict]: For each name ``color`` and ``marker``.
    """
    return {
        name: dict(color=_COLOURS[i % len(_COLOURS)],
                   marker=_MARKERS[i % len(_MARKERS)])
        for i, name in enumerate(sorted(set(names)))
    }


def subplots(rows, columns, figsize):
    """Figure and axes.

    Unlike those of ``pyplot`` the figure needs no window system, and is gone
    when it is let go of.

    Args:
        rows (int): Rows of axes.
        columns (int): Columns of axes.
        figsize (tuple[float, float]): Width and height in inches.

    Returns:
        tuple[Figure, np.ndarray]: The figure, and its axes, of shape
        (rows, columns).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize, dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_prop_cycle(color=_COLOURS)
    return figure, axes
