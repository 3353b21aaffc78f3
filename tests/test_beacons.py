import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from sb_mm.beacons.scenes import (BEACON_COLOURS, CLASSES, SHAPES, SPLITS,
                                    make_beacons, make_scene)


def files(root):
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob('*') if path.is_file()
    }


def test_deterministic_in_its_seed(beacons, tmp_path):
    same, other = tmp_path / 'same', tmp_path / 'other'
    make_beacons(same, num_train=8, num_val=4, size=64)
    make_beacons(other, num_train=8, num_val=4, size=64, seed=1)
    assert files(same) == files(beacons)
    image = 'images/training/00000000.jpg'
    assert (same / image).read_bytes() != (other / image).read_bytes()
    more = tmp_path / 'more'
    make_beacons(more, num_train=2, num_val=6, size=64)
    for split in SPLITS:
        image = f'images/{split}/00000001.jpg'
        assert (same / image).read_bytes() == (more / image).read_bytes()


@pytest.mark.parametrize('split, count', [('training', 8), ('validation', 4)])
def test_the_three_kinds_of_annotation_agree(beacons, split, count):
    coco = COCO(beacons / f'annotations/instances_{split}.json')
    labels = dict(
        line.split()
        for line in (beacons / f'meta/{split}.txt').read_text().splitlines())
    assert len(coco.imgs) == len(labels) == count
    assert [cat['name'] for cat in coco.cats.values()] == list(CLASSES)
    colours = list(BEACON_COLOURS)
    for image in coco.imgs.values():
        picture = cv2.imread(
            str(beacons / 'images' / split / image['file_name']))
        segmentation = cv2.imread(
            str(beacons / 'annotations' / split / image['file_name'].replace(
                'jpg', 'png')), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (64, 64, 3) and segmentation.shape == (64, 64)
        colour = image['beacon']['colour']
        assert colours.index(colour) == int(labels[image['file_name']])
        x, y = image['beacon']['centre']
        assert np.allclose(
            picture[y, x, ::-1], BEACON_COLOURS[colour], atol=60)
        drawn = np.zeros_like(segmentation)
        for ann in coco.imgToAnns[image['id']]:
            mask = coco.annToMask(ann).astype(bool)
            name = CLASSES[ann['category_id'] - 1]
            assert name.split('_')[1] == colour
            assert not drawn[mask].any() and mask.sum() == ann['area']
            drawn[mask] = ann['category_id']
            ys, xs = np.nonzero(mask)
            assert ann['bbox'] == [
                xs.min(), ys.min(), np.ptp(xs) + 1,
                np.ptp(ys) + 1
            ]
            distance = np.hypot(xs.mean() - x, ys.mean() - y)
            assert abs(distance - ann['beacon_distance']) < .01
        assert np.array_equal(drawn, segmentation)


def test_scenes_vary_and_say_nothing_by_local_colour():
    scenes = [make_scene(np.random.default_rng(i), 96) for i in range(40)]
    assert {scene['colour'] for scene in scenes} == set(BEACON_COLOURS)
    objects = [obj for scene in scenes for obj in scene['objects']]
    assert {shape for shape, _ in objects} == set(SHAPES)
    hues = {colour: [] for colour in BEACON_COLOURS}
    for scene in scenes:
        for _, mask in scene['objects']:
            assert mask.any()
            hues[scene['colour']].append(scene['image'][mask].mean(0))
        corner = np.array(scene['beacon']) / 95
        assert ((corner < .25) | (corner > .75)).all()
    means = np.array([np.mean(value, 0) for value in hues.values()])
    assert np.ptp(means, axis=0).max() < 40


def test_controls_have_the_same_scenes_with_another_cue():
    for seed in range(8):
        beacon, none, local = (
            make_scene(np.random.default_rng(seed), 96, cue)
            for cue in ('beacon', 'none', 'local'))
        x, y = beacon['beacon']
        assert none['beacon'] == local['beacon'] == (x, y)
        for a, b, c in zip(*(s['objects'] for s in (beacon, none, local))):
            assert a[0] == b[0] == c[0]
            assert np.array_equal(a[1], b[1]) and np.array_equal(a[1], c[1])
        near = np.zeros((96, 96), bool)
        r = beacon['radius'] + 1
        near[y - r:y + r + 1, x - r:x + r + 1] = True
        assert np.array_equal(beacon['image'][~near], none['image'][~near])
        colour = np.array(BEACON_COLOURS[beacon['colour']])
        assert np.allclose(beacon['image'][y, x], colour, atol=30)
        assert not np.allclose(none['image'][y, x], colour, atol=60)
        for _, mask in local['objects']:
            if mask.sum() > 60:
                mean = local['image'][mask].mean(0)
                assert np.allclose(mean, colour, atol=30)


def test_repeats_nothing_and_leaves_foreign_folders_alone(tmp_path):
    root = tmp_path / 'beacons'
    settings = dict(num_train=2, num_val=1, size=32)
    assert make_beacons(root, **settings)
    assert not make_beacons(root, **settings)
    assert make_beacons(root, **{**settings, 'num_train': 1})
    assert len(list((root / 'images/training').iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ['beacons']

    foreign = tmp_path / 'photos'
    foreign.mkdir()
    (foreign / 'mine.jpg').write_text('precious')
    with pytest.raises(FileExistsError, match='photos.*left alone'):
        make_beacons(foreign, **settings)
    assert [path.name for path in foreign.iterdir()] == ['mine.jpg']


@pytest.mark.parametrize('name', ['num_train', 'num_val', 'size', 'seed'])
def test_refuses_numbers(name, tmp_path):
    with pytest.raises(ValueError, match=f'{name} must be at least'):
        make_beacons(tmp_path / 'beacons', **{name: -1})


def test_refuses_cues(tmp_path):
    with pytest.raises(ValueError, match="one of .*'local'.*got 'sun'"):
        make_beacons(tmp_path / 'beacons', cue='sun')


def test_interruption_leaves_no_half_data_set(tmp_path, monkeypatch):

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, 'dumps', interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_beacons(tmp_path / 'beacons', num_train=1, num_val=1, size=32)
    assert not list(tmp_path.iterdir())
