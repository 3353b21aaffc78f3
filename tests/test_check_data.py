"""tools/check_data.py finds each kind of fault, and no other."""
import json
import shutil
from importlib import import_module

import cv2
import mmcv
import numpy as np
import pytest
from conftest import CLS_CONFIG, DEMO, SEG_CONFIG
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmpretrain.datasets import CustomDataset
from mmseg.datasets import BaseSegDataset
from PIL import ExifTags, Image

from sb_mm.apis.check_data import (_kind, check_data, check_severe,
                                   labelled_data)
from sb_mm.apis.checks import InputError
from sb_mm.apis.coco_annotations import Coco
from sb_mm.apis.labelled_data import Folders, Maps
from sb_mm.apis.pictures import missing
from sb_mm.beacons.mmdet_dataset import BeaconsDataset


@pytest.fixture
def mine(beacons, tmp_path):
    """A copy of the data, to do harm to."""
    return shutil.copytree(beacons, tmp_path / 'mine')


@pytest.fixture
def faults(run_tool):

    def run(config, options):
        result = run_tool('check_data.py', config, '--json', '--out', 'sheet',
                          '--cfg-options', *options)
        assert result.returncode in (0, 1), result.stdout
        rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
        bad = [row for row in rows if row['status'] != 'ok']
        assert result.returncode == bool(bad)
        return [(row['data'], row['check'], row['found']) for row in bad]

    return run


def point_to(options, beacons, mine):
    return [option.replace(str(beacons), str(mine)) for option in options]


def test_nothing_is_invented(faults, beacons, tiny, tiny_seg, tiny_cls,
                             tmp_path):
    for config, options in ((DEMO, tiny), (SEG_CONFIG, tiny_seg),
                            (CLS_CONFIG, tiny_cls)):
        assert not [
            row for row in faults(config, options)
            # eight scenes do not have every class
            if row[1].split(' of ')[0] not in ('objects', 'pixels', 'images')
        ]
        sheet = cv2.imread(str(tmp_path / 'sheet/contact_sheet.jpg'))
        assert sheet.shape[1] == 1152 and sheet.std() > 20


def test_coco(faults, beacons, mine, tiny):
    train = mine / 'annotations/instances_training.json'
    data = json.loads(train.read_text())
    folder = mine / 'images/training'
    anns, images = data['annotations'], data['images']
    anns[0]['bbox'] = [5, 5, 0, 4]
    anns[1]['bbox'] = [50, 50, 40, 4]
    anns[2]['segmentation'] = [[1, 1, 2, 2]]
    anns[3]['segmentation'] = [[0, 0, 5, 5, 99, 99]]
    anns[4]['segmentation'] = [[0, 0, 5, 5, 10, 10]]
    anns[5]['segmentation'] = dict(size=[8, 8], counts=[64])
    anns[6]['image_id'] = 12345
    anns[7]['category_id'] = 77
    anns[8]['segmentation'] = [[[0, 0], [9, 0], [9, 9], [0, 9]]]
    anns[9]['id'] = anns[8]['id']
    images.append(dict(images[0]))
    images[1]['width'] = 65
    names = [image['file_name'] for image in images]
    (folder / names[2]).unlink()
    content = (folder / names[3]).read_bytes()
    (folder / names[3]).write_bytes(content[:len(content) // 2])
    shutil.copy(folder / names[4], folder / 'left_over.jpg')
    shutil.copy(folder / names[5], mine / 'images/validation/00000000.jpg')
    data['categories'] = data['categories'][::-1]
    train.write_text(json.dumps(data))

    found = faults(DEMO, point_to(tiny, beacons, mine))
    kinds = {kind: where for _, kind, where in found}
    for kind, where in {
            'box that is empty': '[5, 5, 0, 4]',
            'box outside its image': '[50, 50, 40, 4] in 64×64',
            'annotation of an unknown image': 'image_id 12345',
            'annotation of an unknown category': 'category_id 77',
            'size that is not the one written': 'is 64×64, written is 65×64',
            'image that is not there': names[2],
            'file that cannot be read': names[3],
            'image without an entry': 'left_over.jpg',
            'image in training and validation': names[5],
            'categories in another order': 'bring the classes of the config'
    }.items():
        assert where in kinds.pop(kind)
    twice = [where for _, kind, where in found
             if kind == 'id that is not unique']
    assert twice == [f'{images[0]["id"]}, 2 images',
                     f'{anns[8]["id"]}, 2 annotations']
    masks = [where for _, kind, where in found
             if kind == 'mask that is not valid']
    for reason in ('polygon of 4 numbers', 'polygon outside its image',
                   'polygon that is not numbers',
                   'polygon without an area', 'RLE of [8, 8]',
                   'not [5, 5, 0, 4]', 'not [50, 50, 40, 4]'):
        assert sum(reason in where for where in masks) == 1
    # and those of the image whose size was changed
    assert sum('image is [64, 65]' not in where for where in masks) == 7
    kinds.pop('mask that is not valid'), kinds.pop('id that is not unique')
    # the pipeline meets the missing image too
    kinds.pop('samples after the pipeline')
    assert all(kind.startswith('objects of ') for kind in kinds)


@pytest.mark.parametrize('phase,kind,key,value', [
    ('val', 'annotations', 'iscrowd', '0 for one object'),
    ('train', 'annotations', 'area', 'pixels of the mask or of the box'),
    ('train', 'annotations', 'segmentation', None),
    ('train', 'images', 'width', None),
])
def test_keys_of_coco(faults, run_tool, beacons, mine, tiny, phase, kind, key,
                      value):
    """Written by hand they are often not there: the toolbox ends in a KeyError
    that names no file, that of the evaluation after the first epochs."""
    path = mine / f'annotations/instances_{phase}'.replace(
        'train', 'training').replace('val', 'validation')
    path = path.with_suffix('.json')
    data = json.loads(path.read_text())
    number = len(data[kind])
    for entry in data[kind][1:]:
        del entry[key]
    path.write_text(json.dumps(data))
    options = point_to(tiny, beacons, mine)
    where = (f'{path}: {number - 1} of {number} {kind} have no {key!r}' +
             (f' ({value})' if value else '') +
             f', the first is {kind}[1]')
    assert (phase, 'key that is missing', where) in faults(DEMO, options)
    result = run_tool('train.py', DEMO, '--work-dir', 'work', '--cfg-options',
                      *options)
    assert result.returncode == 2
    assert f'error: {phase}: key that is missing: {where}. ' in result.stdout


def test_numbers_that_are_text(faults, run_tool, beacons, mine, tiny):
    """The toolbox ends in a TypeError that names no file."""
    path = mine / 'annotations/instances_training.json'
    data = json.loads(path.read_text())
    for image in data['images'][1:]:
        image['width'] = '64'
    for ann in data['annotations']:
        ann['area'] = str(ann['area'])
    data['images'].append('00000000.jpg')
    path.write_text(json.dumps(data))
    options = point_to(tiny, beacons, mine)
    found = [where for phase, kind, where in faults(DEMO, options)
             if kind == 'value that is not a number']
    number = len(data['annotations'])
    assert found[0].endswith("'width' of 7 of 9 images, the first is images[1], "
                             "'64'")
    assert f"'area' of {number} of {number} annotations, the" in found[1]
    result = run_tool('train.py', DEMO, '--work-dir', 'work', '--cfg-options',
                      *options)
    assert result.returncode == 2
    assert "1 of 9 images have no 'id', the first is images[8]" in result.stdout


def test_boxes_alone(mine):
    """Without masks to learn or to evaluate it does not matter that there are
    none, nor in training where the toolbox passes an object over."""
    path = mine / 'annotations/instances_validation.json'
    data = json.loads(path.read_text())
    for ann in data['annotations'][1:]:
        ann.update(segmentation=[], area=0)
    path.write_text(json.dumps(data))
    dataset = BeaconsDataset(
        ann_file=str(path), data_prefix=dict(
            img=str(mine / 'images/validation')), pipeline=[], lazy_init=True)
    boxes = dict(ann_file=str(path), metric='bbox')
    masks = [dict(type='LoadAnnotations', with_mask=True)]
    for setting in (((), [boxes]), (masks, [boxes])):
        data = Coco(dataset, *setting)
        assert not list(data.severe())
        assert {kind for kind, _ in data.others()
                } == {'object that is passed over'}
    both = dict(ann_file=str(path), metric=['bbox', 'segm'])
    (kind, where), = Coco(dataset, (), [both]).severe()
    assert "have no 'segmentation'" in where


@pytest.mark.parametrize('change,kind,found', [
    (lambda x, y, w, h: [x / 64, y / 64, w / 64, h / 64],
     'objects that are all passed over', 'x, y, width and height in pixels'),
    (lambda x, y, w, h: [x, y, x + w, y + h], 'mask that is not valid',
     'a box around it is '),
    (lambda x, y, w, h: [y, x, h, w], 'mask that is not valid',
     'a box around it is '),
])
def test_boxes_of_another_format(beacons, mine, change, kind, found):
    path = mine / 'annotations/instances_validation.json'
    data = json.loads(path.read_text())
    for ann in data['annotations']:
        ann['bbox'] = change(*ann['bbox'])
    path.write_text(json.dumps(data))
    coco = Coco(BeaconsDataset(
        ann_file=str(path), data_root=str(beacons),
        data_prefix=dict(img='images/validation'), pipeline=[],
        lazy_init=True))
    faults = [where for each, where in (*coco.severe(), *coco.others())
              if each == kind]
    assert faults and all(found in where for where in faults)


def test_images_of_the_test(faults, beacons, mine, tiny, run_tool):
    """Of its own, it is checked too; before it is there, the others are."""
    images, labels = mine / 'images', mine / 'annotations'
    shutil.copytree(images / 'validation', images / 'test')
    shutil.copy(images / 'training/00000005.jpg', images / 'test/00000001.jpg')
    (images / 'test/00000002.jpg').write_bytes(b'new')
    shutil.copy(labels / 'instances_validation.json', labels / 'test.json')
    options = point_to(tiny, beacons, mine) + [
        'test_dataloader.dataset.ann_file=annotations/test.json',
        'test_dataloader.dataset.data_prefix.img=images/test/']
    found = {kind: where for _, kind, where in faults(DEMO, options)
             if not kind.startswith('objects of ')}
    assert found['image in training and test'] == (
        f'{images}/training/00000005.jpg and {images}/test/00000001.jpg')
    assert 'image in validation and test' in found
    assert 'test/00000002.jpg' in found['file that cannot be read']
    (labels / 'test.json').unlink()
    result = run_tool('check_data.py', DEMO, '--json', '--cfg-options',
                      *options)
    rows = json.loads(result.stdout[result.stdout.index('[\n {'):])
    where, = (row['found'] for row in rows
              if row['check'] == 'not there, and not checked')
    assert where.startswith(f'{labels}/test.json (test_dataloader.dataset.')


def test_not_json(run_tool, beacons, mine, tiny):
    path = mine / 'annotations/instances_validation.json'
    path.write_text(path.read_text()[:1000])
    result = run_tool('check_data.py', DEMO, '--cfg-options',
                      *point_to(tiny, beacons, mine))
    assert result.returncode == 2
    assert f'error: {path} cannot be read: ' in result.stdout


def test_training_is_refused(run_tool, beacons, mine, tiny):
    """The quick form, before anything is built."""
    train = mine / 'annotations/instances_training.json'
    data = json.loads(train.read_text())
    data['categories'] = data['categories'][::-1]
    train.write_text(json.dumps(data))
    result = run_tool('train.py', DEMO, '--work-dir', 'work', '--cfg-options',
                      *point_to(tiny, beacons, mine))
    assert result.returncode == 2
    assert 'train: categories in another order' in result.stdout
    assert 'tools/check_data.py names them all' in result.stdout


def test_maps_of_labels(faults, beacons, mine, tiny_seg):
    images = mine / 'images/training'
    labels = mine / 'annotations/training'
    for i, change in enumerate((
            lambda x: np.full_like(x, 9),
            lambda x: x[:32],
            lambda x: np.stack([x] * 3, -1))):
        path = str(labels / f'{i:08d}.png')
        cv2.imwrite(path, change(cv2.imread(path, cv2.IMREAD_UNCHANGED)))
    (images / '00000005.jpg').rename(images / '00000005.JPG')
    (labels / '00000003.png').unlink()
    (images / '00000004.jpg').unlink()
    found = faults(SEG_CONFIG, point_to(tiny_seg, beacons, mine))
    kinds = {kind: where for _, kind, where in found}
    for kind, where in {
            'label out of range': '9 in 4096 pixels; 0 to 6 and 255',
            'size that is not that of the image':
            'is 64×32, the image is 64×64',
            'map of labels that has colours': 'has 3 channels',
            'map of labels that is not there': '00000003.png',
            'map of labels without an image': '00000005.png',
            'image that is left out':
            '00000005.JPG; taken are those that end in .jpg (img_suffix)'
    }.items():
        assert where in kinds.pop(kind)
    kinds.pop('samples after the pipeline')  # the pipeline meets them too
    assert all(kind.startswith('pixels of ') for kind in kinds)


def read_map(folder, labels, classes, cls=BaseSegDataset, **kwargs):
    """Read a map of labels, for an image of the same pixels."""
    for name in ('images', 'labels'):
        (folder / name).mkdir()
        Image.fromarray(labels).save(folder / name / '0.png')
    maps = Maps(cls(
        data_root=str(folder), img_suffix='.png', lazy_init=True,
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=classes), **kwargs))
    faults = [where for _, where in maps.read(folder / 'images/0.png')]
    return faults, dict(maps.counts())


@pytest.mark.parametrize('reduce_zero_label,counts', [
    (False, {'ground': 10, 'cat': 0, 'none (255)': 6}),
    (True, {'ground': 0, 'cat': 0, 'none (255)': 16}),
])
def test_pixels_of_none(tmp_path, reduce_zero_label, counts):
    """A mask of black and white has no second class."""
    labels = np.zeros((4, 4), np.uint8)
    labels[:2, :3] = 255
    assert read_map(tmp_path, labels, ('ground', 'cat'),
                    reduce_zero_label=reduce_zero_label) == ([], counts)


@pytest.mark.parametrize('reduce_zero_label,first', [(False, 0), (True, 1)])
def test_some_of_the_classes(tmp_path, reduce_zero_label, first):
    """MMSegmentation maps labels of classes that the config leaves out to the
    void."""

    class Animals(BaseSegDataset):
        METAINFO = dict(classes=('ground', 'cat', 'dog'))

    labels = np.repeat(np.arange(4, dtype=np.uint8), 4).reshape(4, 4) + first
    labels[3, 3] = 255
    assert read_map(tmp_path, labels, ('dog', 'ground'), Animals,
                    reduce_zero_label=reduce_zero_label) == (
        [f'{tmp_path}/labels/0.png has {3 + first} in 3 pixels; {first} to '
         f'{2 + first} and 255 are allowed'],
        {'dog': 4, 'ground': 4, 'none (255)': 5})


def test_images_of_one_name(tmp_path):
    """MMSegmentation writes maps of labels by the name without folders."""
    for name in ('a/0', 'b/0', 'b/1'):
        path = tmp_path / f'{name}.png'
        path.parent.mkdir(exist_ok=True)
        Image.new('L', (4, 4)).save(path)
    dataset = BaseSegDataset(
        data_root=str(tmp_path), img_suffix='.png', lazy_init=True,
        data_prefix=dict(img_path='.', seg_map_path='.'),
        metainfo=dict(classes=('ground', )))
    assert not list(Maps(dataset).severe())
    (kind, where), = Maps(
        dataset, evaluators=[dict(output_dir='labels')]).severe()
    assert kind == 'images of one name'
    assert 'a/0.png' in where and 'b/0.png' in where and '--out' in where


@pytest.mark.parametrize('folders,found', [
    (('cat', 'dog'), ' has cat, dog, the config dog, cat; labels follow the'),
    (('dog', 'other'), None),  # may be another name of the cats
    (('.hidden', 'cat', 'dog'),
     ' has 3 folders (.hidden, cat, dog), the config 2 classes (dog, cat)'),
    (('n02084071', 'n02121808'), None),
])
def test_folders_of_classes(tmp_path, folders, found):
    """MMPreTrain counts them, and takes the first by name for the first class,
    whatever the two are called."""
    for name in folders:
        (tmp_path / name).mkdir()
        Image.new('RGB', (8, 8)).save(tmp_path / name / '0.jpg')
    dataset = CustomDataset(
        data_prefix=str(tmp_path), metainfo=dict(classes=('dog', 'cat')),
        lazy_init=True)
    try:
        faults = [where for _, where in Folders(dataset).severe()]
    except InputError as error:
        faults = [str(error)]
    assert len(faults) == (found is not None)
    assert all(where.startswith(f'{tmp_path}{found}') for where in faults)


def test_labels_in_a_file(tmp_path):
    (tmp_path / 'deep').mkdir()
    for name in ('a', 'deep/b'):
        Image.new('RGB', (8, 8)).save(tmp_path / f'{name}.jpg')
    lines = ('a.jpg 0', 'deep/b.jpg 2', 'deep/c.jpg 1', 'none/d.jpg 1')
    (tmp_path / 'labels.txt').write_text('\n'.join(lines))
    data = Folders(CustomDataset(
        data_root=str(tmp_path), ann_file='labels.txt', lazy_init=True,
        metainfo=dict(classes=('cat', 'dog'))))
    assert list(data.severe()) == [
        ('image that is not there', f'{tmp_path}/{name}.jpg')
        for name in ('deep/c', 'none/d')]
    assert list(data.others()) == [
        ('label out of range', f'{tmp_path}/deep/b.jpg has 2')]
    assert data.counts() == dict(cat=1, dog=2)


def test_what_is_no_file_is_missing(tmp_path):
    """As Path.is_file has it, whatever the list of a folder names."""
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.jpg')
    (tmp_path / 'link.jpg').symlink_to('a.jpg')
    (tmp_path / 'broken.jpg').symlink_to('gone.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    files = [tmp_path / f'{name}.jpg' for name in (
        'a', 'link', 'broken', 'folder', 'none', 'none/deep', 'a.jpg/b')]
    assert list(missing(files)) == [
        file for file in files if not file.is_file()] == files[2:]


def test_folders_of_another_name(tmp_path):
    """As many, but not the same."""
    cfg = Config(dict(default_scope='mmpretrain'))
    for phase, last in dict(train='dog', val='fox').items():
        for name in ('cat', last):
            (tmp_path / phase / name).mkdir(parents=True)
            Image.new('RGB', (8, 8)).save(tmp_path / phase / name / '0.jpg')
        cfg[f'{phase}_dataloader'] = dict(dataset=dict(
            type='CustomDataset', data_prefix=str(tmp_path / phase)))
    check_severe(cfg, 'train')
    with pytest.raises(InputError) as error:
        check_severe(cfg, 'train', 'val')
    assert (f'val: folders that are not those of training: {tmp_path}/val has '
            f'cat, fox, {tmp_path}/train cat, dog;') in str(error.value)


@pytest.mark.parametrize('name,kind', [
    ('mmdet.BeaconsDataset', Coco), ('mmdet.CityscapesDataset', Coco),
    ('mmdet.LVISV1Dataset', None), ('mmdet.CocoPanopticDataset', None),
    ('mmdet.VOCDataset', None), ('mmseg.ADE20KDataset', Maps),
    ('mmseg.NYUDataset', None), ('mmpretrain.ImageNet', Folders),
    ('mmpretrain.CIFAR10', None)
])
def test_kinds(name, kind):
    """Those that read files of their own are not taken for what they inherit
    from."""
    import_module(f'{name.partition(".")[0]}.datasets')
    assert _kind(DATASETS.get(name)) is kind


def test_unlabelled(beacons, mine):
    """Of a semi-supervised training, and of a test that is only written."""
    path = mine / 'annotations/instances_validation.json'
    data = json.loads(path.read_text())
    del data['annotations']
    path.write_text(json.dumps(data))
    dataset = BeaconsDataset(
        ann_file=str(path), data_root=str(beacons), lazy_init=True,
        data_prefix=dict(img='images/validation'), pipeline=[])
    evaluator = dict(ann_file=str(path), metric='bbox')
    assert not list(Coco(dataset).severe())
    assert not list(
        Coco(dataset, (), [dict(evaluator, format_only=True)]).severe())
    assert list(Coco(dataset, (), [evaluator]).severe())
    maps = BaseSegDataset(
        data_root=str(beacons), lazy_init=True,
        data_prefix=dict(img_path='images/validation'), metainfo=dict(
            classes=('a', 'b')))
    written, load = dict(format_only=True), dict(type='LoadDepthAnnotation')
    for evaluator, pipeline, wanted in ((written, (), False), (dict(), (), True),
                                        (written, (load, ), True)):
        data = Maps(maps, pipeline, [evaluator])
        assert len(list(data.severe())) == wanted
        assert not [fault for path in data.files for fault in data.read(path)]


def test_classes_that_are_a_string(tmp_path):
    """('cat') is no tuple: its letters would be the classes."""
    (tmp_path / 'cat').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'cat/0.jpg')
    (tmp_path / 'names.txt').write_text('cat\n')
    dataset = dict(type='CustomDataset', data_prefix=str(tmp_path))
    cfg = Config(dict(
        default_scope='mmpretrain', train_dataloader=dict(dataset=dataset)))
    for classes in (('cat', ), str(tmp_path / 'names.txt')):
        cfg.train_dataloader.dataset.metainfo = dict(classes=classes)
        data, = labelled_data(cfg, 'train')
        assert tuple(data.classes) == ('cat', )
    cfg.train_dataloader.dataset.metainfo = dict(classes=('cat'))
    with pytest.raises(InputError, match="is the string 'cat'; a tuple of one"):
        list(labelled_data(cfg, 'train'))


@pytest.mark.parametrize('seed, faults', [(0, 0), (1, 4)])
def test_folds(tmp_path, seed, faults):
    """Two folds of a folder share no image, if they are of one division."""
    for name in ('a/0.png', 'a/1.png', 'b/0.png', 'b/1.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.randint(
            256, size=(8, 8, 3), dtype='uint8')).save(tmp_path / name)
    data = dict(type='CustomDataset', data_root=str(tmp_path), pipeline=[
        dict(type='LoadImageFromFile'), dict(type='PackInputs')])
    fold = dict(type='KFoldDataset', dataset=data, num_splits=2)
    Config(dict(
        default_scope='mmpretrain', custom_imports=dict(imports=['sb_mm']),
        train_dataloader=dict(dataset=dict(
            type='RepeatDataset', times=2, dataset=dict(fold, seed=0))),
        val_dataloader=dict(dataset=dict(fold, seed=seed, test_mode=True)),
        visualizer=dict(type='UniversalVisualizer'))).dump(tmp_path / 'folds.py')
    rows = check_data(str(tmp_path / 'folds.py'), str(tmp_path / 'out'))
    found = [row for row in rows if row['status'] == 'fault']
    assert len(found) == faults
    for row in found:
        assert row['check'] == 'image in training and validation'


def test_images_that_are_left_out(tmp_path):
    """MMPreTrain says nothing of them."""
    for name in ('cat/0.jpg', 'cat/1.webp', 'dog/0.JPG', '2.jpg'):
        path = tmp_path / 'some' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 8)).save(path)
    folders = Folders(
        CustomDataset(data_prefix=str(tmp_path / 'some'), lazy_init=True))
    assert [where.partition(';')[0] for _, where in folders.others()
            ] == [f'{tmp_path}/some/{name}' for name in ('2.jpg', 'cat/1.webp')]


def save_turned(path):
    """64×48, and a note of the camera that it was held upright: 48×64."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new('RGB', (64, 48)).save(path, exif=exif)
    assert mmcv.imread(path).shape == (64, 48, 3)


def test_turned_photographs(faults, beacons, mine, tiny, tiny_seg):
    """They are read upright, unless the config says otherwise."""
    for i in range(2):
        save_turned(mine / f'images/training/{i:08d}.jpg')
    train = mine / 'annotations/instances_training.json'
    data = json.loads(train.read_text())
    for image in data['images']:
        if image['file_name'] == '00000000.jpg':
            image.update(width=48, height=64)
        if image['file_name'] == '00000001.jpg':
            image.update(width=64, height=48)
    train.write_text(json.dumps(data))
    for i, size in enumerate(((48, 64), (64, 48))):
        Image.new('L', size).save(mine / f'annotations/training/{i:08d}.png')
    raw = ('train_dataloader.dataset.pipeline.0.color_type='
           'color_ignore_orientation')
    for config, options in ((DEMO, tiny), (SEG_CONFIG, tiny_seg)):
        options = point_to(options, beacons, mine)
        for more, wrong in (([], '00000001'), ([raw], '00000000')):
            where, = (where for _, kind, where in faults(
                config, options + more) if kind.startswith('size that is not'))
            assert wrong in where


def test_many_of_a_kind(faults, beacons, mine, tiny):
    train = mine / 'annotations/instances_training.json'
    data = json.loads(train.read_text())
    for ann in data['annotations']:
        ann['bbox'][2] = -1
    train.write_text(json.dumps(data))
    found = [where for _, kind, where in faults(
        DEMO, point_to(tiny, beacons, mine))
        if kind == 'box that is empty']
    assert len(found) == 21
    assert found[-1] == f'… and {len(data["annotations"]) - 20} more'
