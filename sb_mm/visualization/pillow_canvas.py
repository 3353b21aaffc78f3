"""The pictures of the toolboxes' visualizers without Matplotlib's renderer."""
from functools import lru_cache
from itertools import cycle

import cv2
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties, findfont
from mmengine.visualization.utils import color_str2rgb
from PIL import Image, ImageDraw, ImageFont

#: Matplotlib's sizes are in points of a 72th of an inch.
PIXELS_PER_POINT = 100 / 72


class PillowCanvas:
    """Takes the place of the axes of a visualizer.

    Visualizers draw by Matplotlib, which takes longer for a picture than a
    small network takes to predict it. This one has the parts of Matplotlib's
    axes that they use, in Pillow: an image, and above it texts, polygons and
    lines, with the same fonts and sizes at 100 dots per inch.
    """

    @classmethod
    def put_into(cls, visualizer):
        """Have a visualizer draw on a new canvas.

        Args:
            visualizer (mmengine.visualization.Visualizer): The visualizer.
        """
        canvas = visualizer.ax_save = cls()
        visualizer.get_image = canvas.get_image
        visualizer.draw_binary_masks = canvas.draw_binary_masks

    def cla(self):
        """Begin a new picture."""
        self.paths, self.texts = [], []

    def axis(self, shown):
        """There are none to hide."""

    def imshow(self, image, **kwargs):
        """Set the image, below everything else.

        Args:
            image (np.ndarray): Shape (H, W, 3), RGB, uint8.
        """
        self.image = image

    def text(self, x, y, text, **kwargs):
        """Draw a text, with ``Axes.text``'s arguments in points."""
        self.texts.append(dict(kwargs, x=x, y=y, text=text))

    def add_collection(self, collection):
        """Draw polygons or lines.

        Args:
            collection (matplotlib.collections.Collection): Their paths.
        """
        self.paths.append(collection)

    def draw_binary_masks(self, binary_masks, colors='g', alphas=0.8):
        """Blend masks where they are; the visualizer's own method goes over
        the whole picture several times for each.

        Args:
            binary_masks (np.ndarray): Shape (N, H, W), bool.
            colors (str, tuple or list): RGB, one or N. Defaults to 'g'.
            alphas (float or list[float]): One or N. Defaults to 0.8.
        """
        if not isinstance(colors, list):
            colors = [colors] * len(binary_masks)
        for mask, color, alpha in zip(binary_masks, colors, np.broadcast_to(
                alphas, len(binary_masks))):
            x, y, width, height = cv2.boundingRect(mask.astype('uint8'))
            if isinstance(color, str):
                color = color_str2rgb(color)
            box = np.s_[y:y + height, x:x + width]
            part, mask = self.image[box], mask[box]
            part[mask] = part[mask] * (1 - alpha) + alpha * np.array(color)

    def get_image(self):
        """np.ndarray: What was drawn, shape (H, W, 3), RGB, uint8."""
        image = Image.fromarray(self.image)
        draw = ImageDraw.Draw(image, 'RGBA')  # blends
        for collection in sorted(self.paths, key=lambda each: each.zorder):
            _draw_paths(draw, collection)
        for text in self.texts:
            _draw_text(draw, **text)
        return np.array(image)


@lru_cache
def _font(family, points, properties):
    path = findfont(properties or FontProperties(family=[family]))
    return ImageFont.truetype(path, max(1, points * PIXELS_PER_POINT))


def _colour(colour, alpha=None):
    return tuple(round(255 * value) for value in to_rgba(colour, alpha))


def _draw_text(draw, x, y, text, size, color, bbox=None,
               verticalalignment='baseline', horizontalalignment='left',
               family='sans-serif', fontproperties=None):
    font = _font(family, size, fontproperties)
    kwargs = dict(text=text, font=font, align=horizontalalignment)
    x1, y1, x2, y2 = draw.textbbox((0, 0), **kwargs)
    x -= dict(left=x1, center=(x1 + x2) / 2, right=x2)[horizontalalignment]
    y -= dict(top=y1, center=(y1 + y2) / 2).get(verticalalignment, y2)
    if bbox:
        pad = bbox.get('pad', .3 * size) * PIXELS_PER_POINT
        draw.rectangle(
            (x + x1 - pad, y + y1 - pad, x + x2 + pad, y + y2 + pad),
            _colour(bbox.get('facecolor', 'C0'), bbox.get('alpha')))
    draw.text((x, y), fill=_colour(color), **kwargs)


def _draw_paths(draw, collection):
    fills, edges = ([_colour(colour) for colour in colours] or [None]
                    for colours in (collection.get_facecolor(),
                                    collection.get_edgecolor()))
    for path, fill, edge, width in zip(
            collection.get_paths(), *map(cycle, (
                fills, edges, collection.get_linewidth()))):
        width = max(1, round(width * PIXELS_PER_POINT))
        for points in path.to_polygons(closed_only=False):
            closed = len(points) > 2 and (points[0] == points[-1]).all()
            points = list(map(tuple, points))
            if closed:
                draw.polygon(points, fill, edge, width)
            else:
                draw.line(points, edge, width)
