"""Metrics of groups of test images against those of the toolboxes."""
import json
import re
import shutil

import mmcv
import numpy as np
import pytest
from conftest import CLS_CONFIG, DEMO, SEG_CONFIG
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sb_mm.analysis import breakdown
from sb_mm.analysis.predictions import Objects, thirds
from sb_mm.analysis.work_dirs import Run
from sb_mm.beacons.mmseg_dataset import BeaconsDataset
from sb_mm.beacons.scenes import BEACON_COLOURS


@pytest.fixture
def tested(run_tool, tmp_path):
    """Copy of a work dir, tested there, and what was printed."""

    def tested(config, trained, options):
        path = tmp_path / 'plain'
        shutil.copytree(trained, path)
        with pytest.raises(FileNotFoundError, match='has no predictions'):
            breakdown([path])
        result = run_tool(
            'test.py', config, path / 'iter_4.pth', '--work-dir', path,
            '--out', Run(path).predictions, '--cfg-options', *options)
        assert not result.returncode, result.stdout
        return path, result.stdout

    return tested


def change_config(path, code):
    """Add to the config that a work dir has."""
    config, = path.glob('*.py')
    config.write_text(f'{config.read_text()}\n{code}\n')


def change_dataset(path, **settings):
    change_config(path, f"test_dataloader['dataset'].update({settings!r})")


def values(rows):
    return {row['group']: float(row['value (%)']) for row in rows}


def test_objects(tested, tiny, trained, beacons, tmp_path):
    path, _ = tested(DEMO, trained, tiny)
    truth = COCO(beacons / 'annotations/instances_validation.json')
    found = [
        dict(image_id=each['image_id'], category_id=each['category_id'],
             segmentation=each['segmentation'], score=1 - i / 100)
        for i, each in enumerate(truth.anns.values())
    ]
    for i, each in enumerate(found):
        if i % 3 == 0:
            each['category_id'] = 1 + each['category_id'] % 6
    (path / 'predictions.segm.json').write_text(json.dumps(found))
    rows = breakdown([path], tmp_path / 'out', images=['*1.jpg', '*[023].jpg'])
    assert {row['metric'] for row in rows} == {'mask AP'}
    assert not (tmp_path / 'out/breakdown.png').exists()  # of one network

    def coco(images=None):
        whole = COCOeval(
            truth, truth.loadRes(str(path / 'predictions.segm.json')), 'segm')
        whole.params.imgIds = images or whole.params.imgIds
        whole.evaluate()
        whole.accumulate()
        whole.summarize()
        return [round(100 * value, 1) for value in whole.stats]

    got, stats = values(rows), coco()
    assert 0 < got['all'] < 100 and got['all'] == stats[0]
    sizes = {'small objects': 3, 'medium objects': 4, 'large objects': 5}
    assert {size for size, i in sizes.items() if stats[i] >= 0} == (
        sizes.keys() & got)
    for size in sizes.keys() & got:
        assert got[size] == stats[sizes[size]]
    one, = (i for i in truth.imgs
            if truth.imgs[i]['file_name'].endswith('1.jpg'))
    assert got['images *1.jpg'] == coco([one])[0]
    assert got['images *[023].jpg'] == coco([*truth.imgs.keys() - {one}])[0]
    number = {i: len(truth.getAnnIds(imgIds=i)) for i in truth.imgs}
    images = sorted(number, key=number.get)
    thirds = [group for group in got if 'images with' in group]
    # four images: two, one, one
    for group, part in zip(thirds, (images[:2], images[2:3], images[3:]),
                           strict=True):
        assert group == (f'images with {number[part[0]]} to '
                         f'{number[part[-1]]} objects')
        assert got[group] == coco(part)[0]

    # a config may have some of the categories
    some = truth.getCatIds()[1:4]
    change_dataset(path, metainfo=dict(
        classes=[truth.cats[i]['name'] for i in some]))
    got = values(breakdown([path]))
    whole = COCOeval(
        truth, truth.loadRes(str(path / 'predictions.segm.json')), 'segm')
    whole.params.catIds = some
    whole.evaluate()
    whole.accumulate()
    whole.summarize()
    assert got['all'] == round(100 * whole.stats[0], 1)
    assert len([name for name in got if 'objects' in name]) > 2
    number = {i: len(truth.getAnnIds(imgIds=i, catIds=some))
              for i in truth.imgs}
    assert any(f'images with {min(number.values())} to ' in name
               for name in got)

    # images without objects have nothing to measure
    content = json.loads(
        (beacons / 'annotations/instances_validation.json').read_text())
    content['annotations'] = [each for each in content['annotations']
                              if each['image_id'] == one]
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    change_config(path, "test_evaluator[0]['ann_file'] = "
                        f"{str(tmp_path / 'truth.json')!r}")
    got = values(breakdown([path], images=['*1.jpg']))
    assert [name for name in got if 'images with' in name] == [
        f'images with {number[one]} to {number[one]} objects']
    # what is found in the others is wrong
    assert 0 < got['all'] < got['images *1.jpg']
    content['annotations'] = []
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='nothing to measure; there are none'):
        breakdown([path])


def test_other_evaluations(trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / 'plain')
    assert Run(path).predictions.name == 'predictions.json'
    change_config(path, "test_evaluator = dict(type='VOCMetric')")
    run = Run(path)
    assert run.predictions.name == 'predictions.pkl'
    with pytest.raises(ValueError, match='was tested by VOCMetric; .*CocoM'):
        Objects(run)


def test_thirds_of_the_images():
    assert thirds([7, 1, 4, 4, 1, 2]) == {
        'images with 1 to 1 objects': [1, 4],
        'images with 2 to 4 objects': [5, 2],
        'images with 4 to 7 objects': [3, 0]
    }
    assert thirds([1, 3, 1, 1, 1, 1]) == {
        'images with 1 to 1 objects': [0, 2, 3, 4],
        'images with 1 to 3 objects': [5, 1]
    }
    assert thirds([5]) == {'images with 5 to 5 objects': [0]}


def test_labels(tested, tiny_seg, trained_seg):
    path, printed = tested(SEG_CONFIG, trained_seg, tiny_seg)
    rows = breakdown([path], images=['*.*'])
    got = values(rows)
    assert got['images *.*'] == got['all'] == pytest.approx(
        float(re.search(r'^mIoU: (.*)', printed, re.M)[1]), abs=.06)
    for name, iou in re.findall(r'^\| +(\w+) +\| +([\d.]+|nan) \|', printed,
                                re.M):
        assert (name in got) == (iou != 'nan')
        assert got.get(name, 0) == pytest.approx(
            0 if iou == 'nan' else float(iou), abs=.06)
    metrics = {row['group']: row['metric'] for row in rows}
    regions = {group for group in got if group.endswith(' regions')}
    assert {metrics[group] for group in regions} == {'pixels right'}
    # all pixels are in one of them
    accuracy = float(re.search(r'^aAcc: (.*)', printed, re.M)[1])
    assert regions and min(got[group] for group in regions) - .06 <= accuracy
    assert accuracy <= max(got[group] for group in regions) + .06


def test_some_of_the_classes(tested, tiny_seg, trained_seg, beacons):
    """The dataset maps the labels of its other classes to the void."""
    path, _ = tested(SEG_CONFIG, trained_seg, tiny_seg)
    maps = sorted((beacons / 'annotations/validation').iterdir())
    classes = BeaconsDataset.METAINFO['classes']
    present = [i for i in range(1, 7)
               if any((mmcv.imread(file, 'unchanged') == i).any()
                      for file in maps)]
    chosen = present[-2:]
    change_dataset(path, metainfo=dict(classes=[classes[i] for i in chosen]))
    rng = np.random.default_rng(0)
    both, either = np.zeros(2), np.zeros(2)
    for file in maps:
        truth = mmcv.imread(file, 'unchanged')
        found = rng.integers(0, 2, truth.shape)
        mmcv.imwrite(found.astype('uint8'),
                     str(path / 'predictions' / file.name))
        known = np.isin(truth, chosen)
        for new, old in enumerate(chosen):
            both[new] += ((truth == old) & (found == new)).sum()
            either[new] += (known & ((truth == old) | (found == new))).sum()
    got = values(breakdown([path]))
    for new, old in enumerate(chosen):
        assert got[classes[old]] == round(100 * both[new] / either[new], 1)
    assert got['all'] == pytest.approx(100 * (both / either).mean(), abs=.06)


def test_classes(tested, tiny_cls, trained_cls, tmp_path):
    path, printed = tested(CLS_CONFIG, trained_cls, tiny_cls)
    assert values(breakdown([path]))['all'] == float(
        re.search(r'^accuracy/top1: (.*)', printed, re.M)[1])

    def copy(name, seed, right):
        """Predictions of four images, of which some are right."""
        other = tmp_path / f'{name}_{seed}'
        shutil.copytree(path, other)
        config, = other.glob('*.py')
        config.rename(other / f'{name}.py')
        change_dataset(other, type='CustomDataset')  # classes by folder
        for log in other.glob('*/*.log'):
            log.write_text(log.read_text().replace('seed: 0', f'seed: {seed}'))
        (other / 'predictions.csv').write_text('image,label,truth\n' + ''.join(
            f'x/{"ab"[i // 2]}/{i}.jpg,{i // 2 if i in right else 9},{i // 2}\n'
            for i in range(4)))
        return other

    runs = [copy('plain', 0, {0}), copy('plain', 1, {0, 1}),
            copy('sb', 0, {0, 2}), copy('sb', 1, {0, 1, 2})]
    assert [row['value (%)'] for row in breakdown(runs, images=['b/*'])
            if row['group'] in ('b', 'images b/*')] == ['0.0'] * 2 + ['50.0'] * 2
    with pytest.raises(ValueError, match=r'no image fits c/\*; .* x/a/0.jpg'):
        breakdown(runs, images=['c/*'])
    rows = breakdown(runs, tmp_path / 'out')
    assert [(row['config'], row['group'], row['value (%)'], row.get('Δ (%)'))
            for row in rows] == [
                ('plain', 'all', '37.5', None),
                ('plain', 'a', '75.0', None),
                ('plain', 'b', '0.0', None),
                ('sb', 'all', '62.5', '+25.0 [+25.0, +25.0]'),
                ('sb', 'a', '75.0', '+0.0 [+0.0, +0.0]'),
                ('sb', 'b', '50.0', '+50.0 [+50.0, +50.0]'),
            ]
    assert [row.get('over seeds') for row in rows[3:]
            ] == ['ahead', 'level', 'ahead']
    # of four draws of four images none has image 2 with (3/4)^4
    assert rows[3]['Δ over images (%)'] == '[+0.0, +75.0] (seed 0)'
    assert (tmp_path / 'out/breakdown.png').stat().st_size > 10_000
    # another network without the groups that the kept ones have
    breakdown(runs[:2], tmp_path / 'more', images=['b/*'])
    more = breakdown(runs[2:], tmp_path / 'more', keep=True)
    assert values(more[-3:]) == values(rows[-3:])
    assert [row['Δ (%)'] for row in more[-3:]] == [
        row['Δ (%)'] for row in rows[-3:]]
    assert (tmp_path / 'more/breakdown.png').stat().st_size > 10_000
    # all but one run may be gone
    again = breakdown(runs[3:], tmp_path / 'out', 'plain', keep=True)
    assert again == rows
    assert breakdown([], tmp_path / 'out', keep=True) == rows
    with pytest.raises(ValueError, match='no run to compare'):
        breakdown([], tmp_path / 'nothing', keep=True)
    with pytest.raises(ValueError, match='--keep needs --out'):
        breakdown([], keep=True)
    with pytest.raises(ValueError, match='no run of the baseline gone'):
        breakdown(runs, baseline='gone')
    lines = (runs[2] / 'predictions.csv').read_text().splitlines(True)
    (runs[2] / 'predictions.csv').write_text(''.join(lines[:-1]))
    with pytest.raises(ValueError, match='sb and plain were tested on other '
                       'images with seed 0'):
        breakdown(runs)
    # of a dataset that has them, whatever the folders
    change_dataset(runs[0], type='BeaconsDataset')
    assert list(values(breakdown(runs[:1]))) == ['all', *BEACON_COLOURS]
    # images of two classes in one folder, and no names
    (runs[1] / 'predictions.csv').write_text(
        'image,label,truth\nx/0.jpg,0,0\nx/1.jpg,0,1\n')
    assert values(breakdown(runs[1:2])) == {
        'all': 50, 'x (0)': 100, 'x (1)': 0}
    for truth in ('', '0 1'):
        (runs[0] / 'predictions.csv').write_text(
            f'image,label,truth\nx/a/0.jpg,0,{truth}\n')
        with pytest.raises(ValueError, match='has no label or several'):
            breakdown(runs[:1])
