"""What the metrics of Beacons share: where the beacons are."""
import json
from itertools import pairwise
from pathlib import Path

#: Bounds in pixels of the ranges of distance that accuracies are given for.
DISTANCES = tuple(range(0, 260, 20))


def read_beacons(ann_file):
    """Read the beacon of each image.

    Args:
        ann_file (str or Path): COCO annotations of ``tools/make_beacons.py``.

    Returns:
        dict[str, dict]: ``centre`` (x, y) and ``radius`` in pixels for the
        name of each image file.

    Raises:
        ValueError: If the annotations tell of no beacons.
    """
    images = json.loads(Path(ann_file).read_text())['images']
    if not all('radius' in image.get('beacon', ()) for image in images):
        raise ValueError(f'{ann_file} does not say where the beacons are; '
                         'write the data again with tools/make_beacons.py')
    return {image['file_name']: image['beacon'] for image in images}


def ranges(distances):
    """Yield the name and the bounds of each range of distance."""
    for low, high in pairwise(distances):
        yield f'{low}-{high}', low, high
