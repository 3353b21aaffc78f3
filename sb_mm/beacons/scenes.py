"""Beacons: generated scenes whose objects can only be told with context.

Coloured shapes lie on a natural-looking texture, and one small beacon lies in
a corner. **The class of an object is its shape combined with the colour of the
beacon.** The colour of the object itself is random and says nothing, so no
crop around an object holds its class: a network has to carry the colour of the
beacon across the image. Two controls have the same scenes with another cue: no
beacon at all, so that the colour can only be guessed, and objects painted in
the colour of the beacon, so that it is there where it is needed.

The same scenes are written with COCO instance annotations, with ADE20K-format
masks and with one label for each image, so that they serve detection,
segmentation and classification::

    data/beacons/
        images/{training,validation}/00000000.jpg
        annotations/{training,validation}/00000000.png    class + 1; 0: other
        annotations/instances_{training,validation}.json  COCO
        meta/{training,validation}.txt                    image, beacon colour
        beacons.json                                      how it was made
"""
import json
import shutil
import tempfile
from pathlib import Path
from typing import Union

import cv2
import numpy as np
from pycocotools import mask as mask_utils
from rich.progress import track

SHAPES = ('disc', 'square', 'triangle')
BEACON_COLOURS = dict(orange=(240, 120, 20), blue=(30, 90, 240))
CLASSES = tuple(f'{shape}_{colour}' for colour in BEACON_COLOURS
                for shape in SHAPES)
#: RGB of each class: the colour of its beacon, from dark to light by shape.
PALETTE = [
    tuple(int(shade * channel + (1 - shade) * 255) for channel in colour)
    for colour in BEACON_COLOURS.values() for shade in (1, .7, .4)
]
SPLITS = ('training', 'validation')
#: Where the colour can be seen: on the beacon, nowhere, on the objects.
CUES = ('beacon', 'none', 'local')

_MARKER = 'beacons.json'
_VERSION = 3
_OBJECTS = (7, 10)
_RADIUS = (.07, .12)  # of an object, in image sides
_TURN = .25  # of an object either way, in radians
_BEACON_RADIUS = .08  # of its disc
_RINGS = (1.6, 1.3, 1)  # outer radii of a beacon's rings, in radii of its disc
_MIN_VISIBLE = .5  # of the area of every object


def make_beacons(root: Union[str, Path],
                 num_train: int = 400,
                 num_val: int = 100,
                 size: int = 256,
                 seed: int = 0,
                 cue: str = 'beacon') -> bool:
    """Write the data set, unless the same one is there already.

    It is written beside ``root`` and moved there when it is complete. The
    images depend on nothing but the seed, the split, their index and their
    size.

    Args:
        root (str or Path): Folder to write to.
        num_train (int): Number of training images. Defaults to 400.
        num_val (int): Number of validation images. Defaults to 100.
        size (int): Side of the square images in pixels. Defaults to 256.
        seed (int): Seed. Defaults to 0.
        cue (str): Where the colour can be seen: 'beacon', 'none' for no beacon
            or 'local' for none but objects of its colour. Defaults to
            'beacon'.

    Returns:
        bool: Whether the data set was written; False if it was there.

    Raises:
        ValueError: If a number is too small or the cue unknown.
        FileExistsError: If ``root`` holds anything that this function did not
            make.
    """
    for name, value, low in (('num_train', num_train, 1), ('num_val', num_val,
                                                           1),
                             ('size', size, 32), ('seed', seed, 0)):
        if value < low:
            raise ValueError(f'{name} must be at least {low}, but got {value}')
    if cue not in CUES:
        raise ValueError(f'cue must be one of {CUES}, but got {cue!r}')
    root = Path(root).absolute()
    settings = dict(
        version=_VERSION,
        num_train=num_train,
        num_val=num_val,
        size=size,
        seed=seed,
        cue=cue)
    marker = root / _MARKER
    if marker.is_file():
        if json.loads(marker.read_text()) == settings:
            return False
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(
            f'{root} exists and was not made by this generator (it has no '
            f'{_MARKER}); it is left alone. Name another folder.')

    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f'.{root.name}-', dir=root.parent))
    try:
        scratch.chmod(0o755)
        for index, (split, count) in enumerate(
                zip(SPLITS, (num_train, num_val))):
            _write_split(scratch, split, count, size, cue, (seed, index))
        (scratch / _MARKER).write_text(json.dumps(settings, indent=2) + '\n')
        if root.exists():
            shutil.rmtree(root)
        scratch.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def make_scene(rng, size, cue='beacon'):
    """Draw one scene.

    Args:
        rng (np.random.Generator): Source of randomness.
        size (int): Side of the image in pixels.
        cue (str): One of ``CUES``; the scene is the same for all of them.
            Defaults to 'beacon'.

    Returns:
        dict: ``image`` (size, size, 3) uint8 RGB; ``colour``, the name of the
        colour of the beacon; ``beacon``, its centre (x, y) in pixels;
        ``radius``, that of its outer ring;
        ``objects``, a list of ``(shape, mask)`` with the name of the shape and
        its visible pixels as a (size, size) bool array.
    """
    image = _texture(rng, (size, size, 3), 60, 190).astype(np.uint8)
    colour = str(rng.choice(list(BEACON_COLOURS)))
    beacon, radius = _place_beacon(rng, size)
    beacon_mask = np.zeros((size, size), np.uint8)
    cv2.circle(beacon_mask, beacon, 2 * radius, 1, cv2.FILLED)
    if cue == 'beacon':
        _draw_beacon(image, beacon, radius, colour)
    objects = []
    wanted = rng.integers(_OBJECTS[0], _OBJECTS[1] + 1)
    for _ in range(10 * wanted):
        if len(objects) == wanted:
            break
        shape = str(rng.choice(SHAPES))
        mask = _shape_mask(rng, shape, size)
        if (mask & (beacon_mask > 0)).any():
            continue
        if any((full & ~mask & visible).sum() < _MIN_VISIBLE * full.sum()
               for _, full, visible in objects):
            continue
        objects = [(name, full, visible & ~mask)
                   for name, full, visible in objects]
        objects.append((shape, mask, mask))
        _paint(rng, image, mask, colour if cue == 'local' else None)
    image = cv2.GaussianBlur(image, (3, 3), .6)
    return dict(
        image=image,
        colour=colour,
        beacon=beacon,
        radius=round(_RINGS[0] * radius),
        objects=[(name, visible) for name, _, visible in objects])


def _texture(rng, shape, low, high, octaves=(2, 4, 8, 16, 32, 64)):
    """Noise of several octaves between two values, of shape (H, W, C)."""
    texture = np.zeros(shape, np.float32)
    for cells in octaves:
        noise = rng.standard_normal((cells, cells, shape[2]), np.float32)
        noise += 8 * rng.standard_normal((cells, cells, 1), np.float32)
        texture += cv2.resize(
            noise, shape[1::-1],
            interpolation=cv2.INTER_LINEAR).reshape(shape) / cells**.7
    return cv2.normalize(texture, None, low, high,
                         cv2.NORM_MINMAX).reshape(shape)


def _place_beacon(rng, size):
    """Centre (x, y) and radius of the beacon, in one of the corners."""
    radius = max(3, round(_BEACON_RADIUS * size))
    inset = rng.integers(round(1.75 * radius), round(2.5 * radius) + 1, 2)
    corner = rng.integers(0, 2, 2)
    x, y = (int(v) for v in np.where(corner, size - 1 - inset, inset))
    return (x, y), radius


def _draw_beacon(image, centre, radius, colour):
    """A disc with a dark and a light ring."""
    values = (20, 20, 20), (245, 245, 245), BEACON_COLOURS[colour]
    for scale, value in zip(_RINGS, values):
        cv2.circle(image, centre, round(scale * radius), value, cv2.FILLED)


def _shape_mask(rng, shape, size):
    """A shape of random size, place and rotation that lies in the image."""
    mask = np.zeros((size, size), np.uint8)
    radius = rng.uniform(*_RADIUS) * size
    centre = rng.uniform(radius, size - 1 - radius, 2)
    if shape == 'disc':
        cv2.circle(mask, tuple(int(v) for v in centre), round(radius), 1,
                   cv2.FILLED)
    else:
        sides = 4 if shape == 'square' else 3
        angles = np.arange(sides) / sides * 2 * np.pi - (
            np.pi / 4 if sides == 4 else np.pi / 2)
        corners = np.stack([np.cos(angles), np.sin(angles)], 1)
        turn = rng.uniform(-_TURN, _TURN)
        rotation = np.array([[np.cos(turn), -np.sin(turn)],
                             [np.sin(turn), np.cos(turn)]])
        corners = centre + radius * corners @ rotation.T
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1)
    return mask.astype(bool)


def _paint(rng, image, mask, beacon_colour=None):
    """Fill a mask with a textured colour, that of a beacon or one that says
    nothing of the class."""
    ys, xs = np.nonzero(mask)
    window = np.s_[ys.min():ys.max() + 1, xs.min():xs.max() + 1]
    inside = mask[window]
    texture = _texture(rng, (*inside.shape, 1), -35, 35, octaves=(2, 16))
    # muted, so that a beacon stands out
    colour = rng.uniform(40, 215) + rng.uniform(-15, 15, 3)
    if beacon_colour:
        colour = np.array(BEACON_COLOURS[beacon_colour])
    painted = (colour + texture).clip(0, 255)
    image[window][inside] = painted[inside].astype(np.uint8)


def _write_split(root, split, count, size, cue, seed):
    for folder in ('images', 'annotations', 'meta'):
        (root / folder).mkdir(exist_ok=True)
        if folder != 'meta':
            (root / folder / split).mkdir()
    images, annotations, labels = [], [], []
    for index in track(range(count), f'Beacons, {split}'):
        scene = make_scene(
            np.random.default_rng((*seed, index)), size, cue)
        name = f'{index:08d}'
        cv2.imwrite(
            str(root / 'images' / split / f'{name}.jpg'),
            scene['image'][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        segmentation = np.zeros((size, size), np.uint8)
        for shape, mask in scene['objects']:
            category = 1 + CLASSES.index(f'{shape}_{scene["colour"]}')
            segmentation[mask] = category
            annotations.append(
                _annotation(mask, scene['beacon'], len(annotations) + 1, index,
                            category))
        cv2.imwrite(
            str(root / 'annotations' / split / f'{name}.png'), segmentation)
        images.append(
            dict(
                id=index,
                file_name=f'{name}.jpg',
                width=size,
                height=size,
                beacon=dict(
                    colour=scene['colour'],
                    centre=scene['beacon'],
                    radius=scene['radius'])))
        label = list(BEACON_COLOURS).index(scene['colour'])
        labels.append(f'{name}.jpg {label}\n')
    categories = [
        dict(id=i, name=name) for i, name in enumerate(CLASSES, start=1)
    ]
    (root / 'annotations' / f'instances_{split}.json').write_text(
        json.dumps(
            dict(
                images=images, annotations=annotations,
                categories=categories)))
    (root / 'meta' / f'{split}.txt').write_text(''.join(labels))


def _annotation(mask, beacon, annotation_id, image_id, category_id):
    """COCO annotation with the distance in pixels from the centre of the
    visible part to the centre of the beacon beside the standard fields."""
    rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
    ys, xs = np.nonzero(mask)
    distance = np.hypot(xs.mean() - beacon[0], ys.mean() - beacon[1])
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=category_id,
        segmentation=dict(
            size=rle['size'], counts=rle['counts'].decode('ascii')),
        bbox=mask_utils.toBbox(rle).tolist(),
        area=int(mask_utils.area(rle)),
        iscrowd=0,
        beacon_distance=round(float(distance), 2))
