"""The converters, on tiny data that the tests draw."""
import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
from conftest import Bomb
from pycocotools.coco import COCO

from sb_mm.datasets import camvid, cifar10, dsb2018


@pytest.fixture
def convert(run_tool, tmp_path):

    def run(name, src):
        result = run_tool(f'dataset_converters/{name}.py', src, 'out',
                          '--json')
        rows = []
        if '[\n {' in result.stdout:
            rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
        return result, rows

    return run


def draw(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(
        0, 256, (*shape, 3)).astype('uint8')


@pytest.fixture
def nuclei(tmp_path):
    """Six dark and four bright images with rings, discs and touching squares,
    one of which is empty."""
    src, masks = tmp_path / 'stage1_train', {}
    for i in range(10):
        name = f'image{i}'
        shape = (40 + i, 60)
        image = noise(i, *shape) // 16 + (200 if i >= 6 else 0)
        draw(src / name / 'images' / f'{name}.png', image.astype('uint8'))
        ring, left, right = (np.zeros(shape, 'uint8') for _ in range(3))
        cv2.circle(ring, (15, 15), 10, 255, 3)
        left[20:30, 30:40] = right[20:30, 40:50] = 255  # they touch
        right[25, 39] = 255 if i == 0 else 0  # and overlap in one
        masks[name] = [ring, left, right]
        for j, mask in enumerate(masks[name]):
            draw(src / name / 'masks' / f'{j}.png', mask)
    draw(src / 'image1/masks/9.png', np.zeros((41, 60), 'uint8'))
    return src, masks


def test_nuclei(convert, nuclei, tmp_path):
    src, masks = nuclei
    result, rows = convert('dsb2018', src)
    assert result.returncode == 1  # ten images are not those that there are
    assert rows[-1]['status'] == '10 of 664'
    assert [(row['images'], row['dark'], row['bright']) for row in rows[:3]
            ] == [('7', '4', '3'), ('1', '1', '0'), ('2', '1', '1')]
    assert sum(int(row['overlapping (kept)']) for row in rows[:3]) == 1
    assert sum(int(row['empty (left out)']) for row in rows[:3]) == 1
    seen = []
    for part in dsb2018.SPLITS:
        coco = COCO(str(tmp_path / f'out/annotations/instances_{part}.json'))
        for image in coco.imgs.values():
            name = image['file_name'][:-4]
            seen.append(name)
            anns = coco.loadAnns(coco.getAnnIds(image['id']))
            for ann, mask in zip(anns, masks[name], strict=True):
                assert np.array_equal(coco.annToMask(ann) * 255, mask)
                assert ann['area'] == (mask > 0).sum()
                x, y, w, h = cv2.boundingRect(mask)
                assert ann['bbox'] == [x, y, w, h]
            ours = cv2.imread(str(tmp_path / f'out/images/{name}.png'))
            theirs = cv2.imread(str(src / name / 'images' / f'{name}.png'))
            assert np.array_equal(ours, theirs)
    assert sorted(seen) == sorted(masks)
    assert (tmp_path / 'out/contact_sheet.jpg').is_file()


def test_nuclei_of_another_size(convert, nuclei, tmp_path):
    draw(nuclei[0] / 'image3/masks/0.png', np.full((9, 9), 255, 'uint8'))
    result, _ = convert('dsb2018', nuclei[0])
    assert result.returncode == 2
    assert '0.png is 9×9, its image is 60×43' in result.stdout
    shutil.rmtree(nuclei[0] / 'image3/masks')
    result, _ = convert('dsb2018', nuclei[0])
    assert result.returncode == 2
    assert 'image3/masks has no masks' in result.stdout
    assert not (tmp_path / 'out').exists()  # all of it or nothing


@pytest.fixture
def streets(tmp_path):
    for i, split in enumerate(camvid.PUBLISHED):
        for j in range(3):
            name = f'{split}{j}.png'
            labels = np.random.default_rng(j).integers(
                0, 12, (36, 48)).astype('uint8')
            draw(tmp_path / 'CamVid' / split / name, noise(j, 36, 48))
            draw(tmp_path / 'CamVid' / f'{split}annot' / name, labels)
    return tmp_path / 'CamVid'


def test_camvid(convert, streets, tmp_path):
    result, rows = convert('camvid', streets)
    assert result.returncode == 1
    assert [row['status'] for row in rows] == [
        '3 of 367', '3 of 101', '3 of 233']
    for split in camvid.PUBLISHED:
        for path in (streets / f'{split}annot').iterdir():
            theirs = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            ours = cv2.imread(
                str(tmp_path / 'out/labels' / split / path.name),
                cv2.IMREAD_UNCHANGED)
            assert np.array_equal(ours[theirs < 11], theirs[theirs < 11])
            assert (ours[theirs == 11] == 255).all()
            assert np.array_equal(
                cv2.imread(str(tmp_path / 'out/images' / split / path.name)),
                cv2.imread(str(streets / split / path.name)))


def test_camvid_in_colours(convert, tmp_path):
    names = dict(
        train=['0001TP_006690', '0001TP_008520', '0006R0_f00930',
               '0016E5_00390', '0016E5_08640'],
        val=['0016E5_07959', '0016E5_08159'],
        test=['0001TP_008550', 'Seq05VD_f00000'])
    # lane marking, void, tunnel, child, bus
    colours = np.array([(128, 0, 192), (0, 0, 0), (64, 0, 64), (192, 128, 64),
                        (192, 128, 192)], 'uint8')
    found = np.random.default_rng(0).integers(0, 5, (36, 48))
    labels = np.kron(colours[found][..., ::-1], np.ones((20, 20, 1), 'uint8'))
    for name in sum(names.values(), []):
        draw(tmp_path / 'all/701_StillsRaw_full' / f'{name}.png',
             np.full((720, 960, 3), 90, 'uint8'))
        draw(tmp_path / 'all/LabeledApproved_full' / f'{name}_L.png', labels)
    result, rows = convert('camvid', tmp_path / 'all')
    assert [row['status'] for row in rows] == ['5 of 367', '2 of 101',
                                               '2 of 233'], result.stdout
    wanted = np.array([3, 255, 1, 9, 8], 'uint8')[found]
    for split, them in names.items():
        for name in them:
            ours = cv2.imread(str(tmp_path / 'out/labels' / split /
                                  f'{name}.png'), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(ours, np.kron(wanted, np.ones((10, 10))))
            image = cv2.imread(str(tmp_path / 'out/images' / split /
                                   f'{name}.png'))
            assert image.shape == (360, 480, 3) and (image == 90).all()
    draw(tmp_path / 'all/LabeledApproved_full/Seq05VD_f00000_L.png',
         labels // 2)
    shutil.rmtree(tmp_path / 'out')
    result, _ = convert('camvid', tmp_path / 'all')
    assert result.returncode == 2
    assert "other colours than those of CamVid, in " in result.stdout
    draw(tmp_path / 'all/701_StillsRaw_full/street.png', np.zeros((720, 960, 3)))
    result, _ = convert('camvid', tmp_path / 'all')
    assert result.returncode == 2
    assert 'street.png is not named like a frame of CamVid' in result.stdout


def test_camvid_refuses(convert, streets, tmp_path):
    path = streets / 'valannot/val1.png'
    draw(path, np.full((36, 48), 12, 'uint8'))
    result, _ = convert('camvid', streets)
    assert result.returncode == 2 and 'values to 12' in result.stdout
    path.unlink()
    result, _ = convert('camvid', streets)
    assert 'val1.png, the labels of' in result.stdout
    result, _ = convert('camvid', tmp_path / 'nothing')
    assert 'must be the folder CamVid of https://github' in result.stdout
    assert not (tmp_path / 'out').exists()


def batches(folder, labels=range(10)):
    """The archive's own layout, as Python 2 wrote it."""
    folder.mkdir()
    images = {}
    names = [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch']
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(
            0, 256, (len(labels), 3072)).astype('uint8')
        images[name] = pixels
        (folder / name).write_bytes(pickle.dumps(
            {b'data': pixels, b'labels': list(labels)}, protocol=2))
    return images


def test_cifar10_of_the_archive(convert, tmp_path):
    images = batches(tmp_path / 'py')
    result, rows = convert('cifar10', tmp_path / 'py')
    assert result.returncode == 1
    assert {row['status'] for row in rows} == {'5 of 5,000', '1 of 1,000'}
    for label, name in enumerate(cifar10.CLASSES):
        for split, names in cifar10._BATCHES.items():
            for number, batch in enumerate(names):
                ours = cv2.imread(str(
                    tmp_path / 'out' / split / name / f'{number:04d}.png'))
                theirs = images[batch][label].reshape(3, 32, 32)
                assert np.array_equal(ours[..., ::-1].transpose(2, 0, 1),
                                      theirs)


def test_cifar10_of_folders(convert, tmp_path):
    for split in ('train', 'test'):
        for i, name in enumerate(cifar10.CLASSES):
            draw(tmp_path / 'jpg' / split / name / 'a.jpg', noise(i, 32, 32))
    result, rows = convert('cifar10', tmp_path / 'jpg')
    assert result.returncode == 1 and len(rows) == 20
    for name in cifar10.CLASSES:
        ours = (tmp_path / 'out/train' / name / '0000.jpg').read_bytes()
        assert ours == (tmp_path / 'jpg/train' / name / 'a.jpg').read_bytes()
    draw(tmp_path / 'jpg/test/cat/b.png', noise(0, 8, 32))
    (tmp_path / 'out').rename(tmp_path / 'moved')
    result, _ = convert('cifar10', tmp_path / 'jpg')
    assert result.returncode == 2 and 'is 32×8, and not 32×32' in result.stdout


def test_cifar10_runs_no_code(convert, tmp_path):
    batches(tmp_path / 'py')
    (tmp_path / 'py/data_batch_1').write_bytes(
        pickle.dumps(Bomb(eval, 'open("exploded", "w")')))
    result, _ = convert('cifar10', tmp_path / 'py')
    assert result.returncode == 2
    assert 'more than arrays in it (builtins.eval)' in result.stdout
    assert not (tmp_path / 'exploded').exists()


@pytest.mark.parametrize('damage', [
    lambda data: data[:len(data) // 2], lambda data: b'',
    lambda data: pickle.dumps({b'data': np.zeros((1, 3072), 'u1')}),
    lambda data: pickle.dumps({b'data': np.zeros((1, 3072), 'u1'),
                               b'labels': [10]})])
def test_a_damaged_batch_is_named(convert, tmp_path, damage):
    batches(tmp_path / 'py')
    path = tmp_path / 'py/data_batch_2'
    path.write_bytes(damage(path.read_bytes()))
    result, _ = convert('cifar10', tmp_path / 'py')
    assert result.returncode == 2
    assert 'data_batch_2 cannot be read as a batch' in result.stdout
    assert not (tmp_path / 'out').exists()


def test_folders_without_pictures(convert, streets, tmp_path):
    for split in ('train', 'test'):
        for name in cifar10.CLASSES:
            (tmp_path / 'empty' / split / name).mkdir(parents=True)
    for path in streets.rglob('*.png'):
        path.unlink()
    for name, src, kind in (('camvid', streets, 'PNG'),
                            ('cifar10', tmp_path / 'empty', 'PNG or JPEG')):
        result, _ = convert(name, src)
        assert result.returncode == 2
        assert f'have no {kind} files' in result.stdout


@pytest.mark.parametrize('damage', [
    lambda data: b'not a picture', lambda data: b'',
    lambda data: data[:len(data) // 2]])
def test_damaged_pictures_are_named(convert, streets, nuclei, damage):
    for name, folder, file in (
            ('camvid', streets, 'val/val1.png'),
            ('camvid', streets, 'testannot/test0.png'),
            ('dsb2018', nuclei[0], 'image2/masks/1.png'),
            ('dsb2018', nuclei[0], 'image5/images/image5.png')):
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(damage(data))
        result, _ = convert(name, folder)
        assert result.returncode == 2
        assert f'{file} cannot be read as an image' in result.stdout
        (folder / file).write_bytes(data)


def test_nothing_is_overwritten(convert, streets, tmp_path):
    (tmp_path / 'out').mkdir()
    result, _ = convert('camvid', streets)
    assert result.returncode == 2 and 'out is there already' in result.stdout
