"""tools/predict.py gives what tools/test.py gives for the same pictures."""
import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from conftest import CLS_CONFIG, DEMO, SEG_CONFIG
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from sb_mm.beacons.scenes import CLASSES


@pytest.fixture
def predict(run_tool, beacons):

    def run(config, trained, options, out, *args, inputs=None):
        inputs = inputs or [beacons / 'images/validation']
        return run_tool('predict.py', config, trained / 'iter_4.pth', *inputs,
                        '--out', out, *args, '--cfg-options', *options)

    return run


@pytest.fixture
def test(run_tool):

    def run(config, trained, options, out):
        result = run_tool('test.py', config, trained / 'iter_4.pth',
                          '--work-dir', 'test', '--out', out, '--cfg-options',
                          *options)
        assert not result.returncode, result.stdout

    return run


def pictures_of(folder):
    return sorted(path.name for path in folder.iterdir())


def test_detector(predict, test, tiny, trained, tmp_path):
    result = predict(DEMO, trained, tiny, 'new', '--score-thr', 0,
                     '--batch-size', 3)
    assert not result.returncode, result.stdout
    test(DEMO, trained, tiny, 'old.json')
    names = [f'0000000{i}.jpg' for i in range(4)]
    assert pictures_of(tmp_path / 'new/pictures') == names
    ours = COCO(str(tmp_path / 'new/predictions.json'))
    assert tuple(
        cat['name'] for cat in ours.loadCats(ours.getCatIds())) == CLASSES
    theirs = json.loads((tmp_path / 'old.segm.json').read_text())
    boxes = json.loads((tmp_path / 'old.bbox.json').read_text())
    assert len(ours.anns) == len(theirs) == len(boxes) > 0
    for row, other in zip(*(sorted(rows, key=lambda row: row['score'])
                            for rows in (ours.anns.values(), boxes))):
        assert row['score'] == pytest.approx(other['score'], abs=1e-4)
        assert row['bbox'] == pytest.approx(other['bbox'], abs=.01)
        image, = ours.loadImgs(row['image_id'])
        assert row['area'] == coco_mask.area(row['segmentation'])
        assert coco_mask.decode(row['segmentation']).shape == (
            image['height'], image['width'])


def test_segmentor(predict, test, tiny_seg, trained_seg, tmp_path):
    result = predict(SEG_CONFIG, trained_seg, tiny_seg, 'new')
    assert not result.returncode, result.stdout
    test(SEG_CONFIG, trained_seg, tiny_seg, 'old')
    names = pictures_of(tmp_path / 'new/labels')
    assert names == pictures_of(tmp_path / 'old') and len(names) == 4
    for name in names:
        ours, theirs = (
            cv2.imread(str(tmp_path / folder / name), cv2.IMREAD_UNCHANGED)
            for folder in ('new/labels', 'old'))
        assert np.array_equal(ours, theirs)
    assert len(pictures_of(tmp_path / 'new/pictures')) == 4


def test_classifier(predict, test, tiny_cls, trained_cls, tmp_path):
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'new', '--batch-size',
                     2)
    assert not result.returncode, result.stdout
    test(CLS_CONFIG, trained_cls, tiny_cls, 'old.json')
    theirs = json.loads((tmp_path / 'old.json').read_text())
    with open(tmp_path / 'new/predictions.csv', newline='') as file:
        for row, other in zip(csv.DictReader(file), theirs, strict=True):
            assert row['picture'] == other['image'].split('/')[-1]
            assert [int(row['label'])] == other['label']
            assert [row['class']] == other['class']
            assert float(row['score']) == pytest.approx(
                other['score'][0], abs=1e-4)


def test_what_cannot_be_read_is_named(predict, tiny_cls, trained_cls, beacons,
                                      tmp_path):
    shutil.copytree(beacons / 'images/validation', tmp_path / 'mine/deep')
    (tmp_path / 'mine/broken.jpg').write_bytes(b'no picture')
    scene = next(beacons.glob('images/validation/*.jpg')).read_bytes()
    (tmp_path / 'mine/cut.jpg').write_bytes(scene[:-100])
    (tmp_path / 'mine/empty.png').touch()
    (tmp_path / 'mine/notes.txt').write_text('no picture either')
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'out', '--json',
                     inputs=['mine'])
    assert result.returncode == 1, result.stdout
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert rows[0]['picture'] == '4 pictures in out'
    assert [row['picture'].split('/')[-1] for row in rows[1:]] == [
        'broken.jpg', 'cut.jpg', 'empty.png']
    assert {row['status'] for row in rows[1:]} == {'cannot be read'}
    assert len(pictures_of(tmp_path / 'out/pictures/deep')) == 4


def test_mistakes(predict, tiny_cls, trained_cls, tmp_path):
    (tmp_path / 'twins').mkdir()
    for name in ('a.jpg', 'a.png'):
        cv2.imwrite(str(tmp_path / 'twins' / name), np.zeros((8, 8, 3), 'u1'))
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full/file').touch()
    weights = torch.load(
        trained_cls / 'iter_4.pth', weights_only=False)['state_dict']
    del weights['head.fc.bias']
    (tmp_path / 'part').mkdir()
    torch.save(weights, tmp_path / 'part/iter_4.pth')
    for trained, out, inputs, message in (
        (trained_cls, 'full', None, 'full is not empty; --force'),
        (trained_cls, 'new', ['gone/*.jpg'], 'gone/*.jpg is no file'),
        (trained_cls, 'new', ['twins'], 'would be written to the same file'),
        (tmp_path, 'new', None, 'iter_4.pth does not exist'),
        (tmp_path / 'part', 'new', None, 'head.fc.bias')):
        result = predict(CLS_CONFIG, trained, tiny_cls, out, inputs=inputs)
        assert result.returncode == 2, result.stdout
        assert message in result.stdout and 'Traceback' not in result.stdout


@pytest.fixture(scope='session')
def clip(beacons, tmp_path_factory):
    """A video of the four validation pictures."""
    path = str(tmp_path_factory.mktemp('clip') / 'clip.mp4')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 10,
                             (64, 64))
    for file in sorted((beacons / 'images/validation').iterdir()):
        writer.write(cv2.imread(str(file)))
    writer.release()
    return path


def test_two_detectors_on_a_video(predict, tiny, trained, clip, tmp_path):
    result = predict(DEMO, trained, tiny, 'same', '--score-thr', 0,
                     '--max-frames', 3, '--against', trained / DEMO.name,
                     trained / 'iter_4.pth', '--bias', inputs=[clip])
    assert not result.returncode, result.stdout
    assert '3 pictures in same, 0 of them' in result.stdout
    video = cv2.VideoCapture(str(tmp_path / 'same/pictures/clip.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    there, frame = video.read()
    assert frame.shape == (64, 128, 3)  # side by side
    half = frame[:, :64].astype(int) - frame[:, 64:]
    assert abs(half).mean() < 4  # the same but for the compression
    stages = pictures_of(tmp_path / 'same/bias/clip')
    assert stages == [f'{i:06d}_layer{stage}.jpg' for i in range(1, 4)
                      for stage in range(1, 4)]
    # the second is the first with another weight in the last layer
    coco = COCO(str(tmp_path / 'same/predictions.json'))
    kept = coco.anns[1]['category_id']
    weights = torch.load(trained / 'iter_4.pth', weights_only=False)
    weights['state_dict']['roi_head.bbox_head.fc_cls.bias'][kept - 1] -= 9
    (tmp_path / 'b').mkdir()
    torch.save(dict(state_dict=weights['state_dict']), tmp_path / 'b/b.pth')
    result = predict(DEMO, trained, tiny, 'other', '--score-thr', 0,
                     '--classes', CLASSES[kept - 1], '--opacity', '0.3',
                     '--against', trained / DEMO.name, tmp_path / 'b/b.pth',
                     inputs=[clip])
    assert not result.returncode, result.stdout
    assert '4 pictures in other, 4 of them' in result.stdout
    with open(tmp_path / 'other/differences.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['picture'] for row in rows] == [
        f'clip/00000{i}.jpg' for i in range(1, 5)]
    coco = COCO(str(tmp_path / 'other/predictions.json'))
    assert {ann['category_id'] for ann in coco.anns.values()} == {kept}


def test_what_was_predicted_before_an_error_stays(predict, tiny, trained,
                                                  tmp_path):
    (tmp_path / 'out/pictures').mkdir(parents=True)
    (tmp_path / 'out/pictures/00000002.jpg').mkdir()  # none can be written
    result = predict(DEMO, trained, tiny, 'out', '--score-thr', 0, '--force')
    assert result.returncode == 2, result.stdout
    assert '00000002.jpg' in result.stdout.splitlines()[-1]
    names = {
        image['file_name']
        for image in COCO(str(tmp_path / 'out/predictions.json')).imgs.values()
    }
    assert names >= {f'0000000{i}.jpg' for i in range(3)}


def test_a_video_that_is_too_wide_to_write(predict, tiny_cls, trained_cls,
                                           tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / 'wide.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10,
        (8200, 64))  # more than the 8191 that MPEG-4 can have
    writer.write(np.zeros((64, 8200, 3), 'u1'))
    writer.release()
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'out',
                     inputs=['wide.avi'])
    assert result.returncode == 2, result.stdout
    assert 'wide.mp4 cannot be written with 8200x64 pixels' in result.stdout
    result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'none', '--no-pictures',
                     inputs=['wide.avi'])
    assert not result.returncode, result.stdout


def test_segmentor_of_some_classes(predict, tiny_seg, trained_seg, beacons,
                                   tmp_path):
    for out, args in dict(all=(), some=('--classes', 'disc_blue')).items():
        result = predict(SEG_CONFIG, trained_seg, tiny_seg, out, *args)
        assert not result.returncode, result.stdout
    for name in pictures_of(tmp_path / 'all/labels'):
        everything, some = (
            cv2.imread(str(tmp_path / out / 'labels' / name), -1)
            for out in ('all', 'some'))
        wanted = np.where(everything == 4, 4, 255)  # background is 0
        assert np.array_equal(some, wanted)


def test_more_classes_than_8_bits_hold(predict, tiny_seg, trained_seg,
                                       tmp_path):
    weights = torch.load(
        trained_seg / 'iter_4.pth', weights_only=False)['state_dict']
    options = tiny_seg[:]
    for head in ('decode_head', 'auxiliary_head'):
        weight = weights[f'{head}.conv_seg.weight']
        weights[f'{head}.conv_seg.weight'] = weight.new_zeros(
            300, *weight.shape[1:])
        weights[f'{head}.conv_seg.bias'] = torch.arange(300.)
        options.append(f'model.{head}.num_classes=300')
    (tmp_path / 'many').mkdir()
    torch.save(weights, tmp_path / 'many/iter_4.pth')
    for args, label in (((), 299), (('--classes', 'disc_blue'), 65535)):
        result = predict(SEG_CONFIG, tmp_path / 'many', options, str(label),
                         *args)
        assert not result.returncode, result.stdout
        for path in (tmp_path / f'{label}/labels').iterdir():
            assert (cv2.imread(str(path), -1) == label).all()


def test_more_mistakes(predict, tiny_cls, trained_cls):
    for args, message in (
        (('--classes', 'green'), 'there is no green; the model has orange'),
        (('--opacity', '2'), '--opacity must be 0 to 1'),
        (('--score-thr', '30'), '--score-thr must be 0 to 1'),
        (('--batch-size', '0'), '--batch-size must be at least 1'),
        (('--web', ), 'give pictures to predict on, or --web and none'),
        (('--against', DEMO, trained_cls / 'iter_4.pth'), 'fits neither')):
        result = predict(CLS_CONFIG, trained_cls, tiny_cls, 'out', *args)
        assert result.returncode == 2, result.stdout
        assert message in result.stdout and 'Traceback' not in result.stdout
