"""What all our pictures have in common."""


def marker(i):
    """str: The marker of network i, so that curves differ in more than
    colour."""
    return 'osv^D<>Pp*'[i % 10]


def subplots(rows, columns, figsize):
    """Figure and axes in colours that the colour-blind can tell apart.

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
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    with style.context('tableau-colorblind10'):
        figure = Figure(figsize, dpi=120, layout='constrained')
        FigureCanvasAgg(figure)
        return figure, figure.subplots(rows, columns, squeeze=False)
