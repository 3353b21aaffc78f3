"""Whether labelled pictures are what a config takes them for."""
import hashlib
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import List, Optional

import mmcv
import numpy as np
from mmengine.registry import DATASETS, VISUALIZERS, init_default_scope
from rich.progress import track

from ..allocator import collector_off
from ..utils.contact_sheet import contact_sheet
from .checks import InputError, check_data as check_paths
from .checks import (check_at_least, datasets_of, evaluators_of,
                     read_config)
from .coco_annotations import Coco
from .errors import describe
from .labelled_data import (Folders, Maps, Unknown, other_folders,
                            without_annotation)
from .signatures import check_settings
from .type_names import dicts_in

_SHOWN = 20  # of a kind


def check_data(config: str,
               out: Optional[str] = None,
               jobs: Optional[int] = None,
               cfg_options: Optional[dict] = None) -> List[dict]:
    """Check the data of a config: those of training, of validation and, where
    they are others, of the test.

    Every annotation has its image and the reverse; images can be read and
    have the size that is written; no key is missing that the toolbox or the
    evaluation reads; boxes and masks are in their image and not empty;
    categories are the classes of the config, in its order; labels are in
    range; no image is in two of them. A contact sheet shows 16 samples after the
    pipeline of training, and of each two views or branches if it makes them.

    Args:
        config (str): Config file.
        out (str, optional): Folder for ``contact_sheet.jpg``. Defaults to
            None, ``work_dirs/check_data/CONFIG``.
        jobs (int, optional): Images to read at a time. Defaults to None, the
            number of cores.
        cfg_options (dict, optional): Settings to override. Defaults to None.

    Returns:
        list[dict]: A row for each fault, the first 20 of a kind, and for what
        was found to be right.

    Raises:
        InputError: If a folder is missing, but for those of the test, a
            setting does not exist, or ``jobs`` is less than 1.
    """
    check_at_least(1, jobs=jobs)
    cfg = read_config(config, cfg_options)
    check_settings(cfg, 'train', 'val')
    check_paths(cfg, 'train', 'val')
    out = Path(out or Path('work_dirs', 'check_data', Path(config).stem))
    rows, hashes, everything = [], defaultdict(list), []
    phases = ['train', 'val']
    if _without_pipeline(cfg, 'test') not in (None,
                                              _without_pipeline(cfg, 'val')):
        try:
            check_paths(cfg, 'test')
            phases.append('test')
        except InputError as error:  # there may be none yet
            rows.append(dict(data='test', check='not there, and not checked',
                             found=str(error).splitlines()[0], status='ok'))
    for phase in phases:
        for data in labelled_data(cfg, phase):
            everything.append(data)
            faults = [*data.severe(), *data.others(),
                      *other_folders(data, everything[0])]
            faults += _read(data, phase, hashes, jobs)
            rows += _rows(phase, data, faults)
    rows += _shown('all', without_annotation(everything))
    rows += _shown('all', _twice(hashes, _are_folds(cfg)))
    try:
        path = _draw_samples(cfg, out)
        rows.append(dict(data='train', check='samples after the pipeline',
                         found=str(path), status='ok'))
    except Exception as error:  # of the pipeline, which is what is checked
        rows.append(dict(data='train', check='samples after the pipeline',
                         found=describe(error), status='fault'))
    return rows


def _without_pipeline(cfg, phase):
    """list[dict]: The datasets of a phase but for what reads their samples."""
    loader = cfg.get(f'{phase}_dataloader')
    return loader and [
        {key: value for key, value in dataset.items() if key != 'pipeline'}
        for _, dataset in datasets_of(loader['dataset'], '')
    ]


def _are_folds(cfg):
    """Whether training and validation share the images of a folder, as the
    folds of MMPreTrain do, so that none is in both."""
    folds = [(each.get('fold', 0), each.get('num_splits', 5),
              each.get('seed'))
             for phase, test in (('train', False), ('val', True))
             for each in dicts_in(cfg.get(f'{phase}_dataloader'))
             if str(each.get('type')).endswith('KFoldDataset')
             and each.get('test_mode', False) == test]
    return len(folds) == 2 and folds[0] == folds[1]


def _twice(hashes, folds):
    """Yield the images of the same bytes in several phases."""
    names = dict(train='training', val='validation', test='test')
    for same in hashes.values():
        phases = list(dict.fromkeys(names[phase] for phase, _ in same))
        one_file = len({path for _, path in same}) == 1
        if folds and one_file and 'test' not in phases:
            continue
        if len(phases) > 1:
            yield (f'image in {" and ".join(phases)}',
                   ' and '.join(str(path) for _, path in same))


def labelled_data(cfg, phase):
    """Yield the annotations of the datasets of a config.

    Args:
        cfg (Config): Config.
        phase (str): 'train', 'val' or 'test'.

    Yields:
        Coco, Maps, Folders or Unknown: One for each dataset.

    Raises:
        InputError: If the classes of one are a string, or a file of COCO's
            format is not named.
    """
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        return
    with DATASETS.switch_scope_and_registry(
            cfg.get('default_scope')) as registry:
        for name, dataset in datasets_of(loader['dataset'],
                                         f'{phase}_dataloader.dataset'):
            kind = _kind(registry.get(dataset['type']))
            if kind is None or dataset.get('backend_args'):
                yield Unknown(f'{name}, {dataset["type"]}')
            else:
                built = registry.build(
                    dict(dataset, lazy_init=True, pipeline=[]))
                classes = built.metainfo.get('classes')
                if isinstance(classes, str):
                    raise InputError(
                        f'{name}.metainfo.classes is the string {classes!r}; '
                        f'a tuple of one class is ({classes!r}, )')
                if kind is Coco and not built.ann_file:
                    raise InputError(f'{name} has no ann_file, the file of '
                                     'its annotations')
                yield kind(built, dataset.get('pipeline') or (),
                           evaluators_of(cfg, phase))


def _kind(cls):
    """Coco, Maps, Folders or None: What reads the annotations of a dataset."""
    kinds = dict(CocoDataset=Coco, BaseSegDataset=Maps, CustomDataset=Folders)
    for base in cls.__mro__:
        # one that reads files of its own, such as LVIS or panoptic ones
        if {'load_data_list', 'parse_data_info'} & vars(base).keys():
            return kinds.get(base.__name__)


@collector_off()
def check_severe(cfg, *phases):
    """Refuse what a run would pass over in silence or end in later, as far as
    it shows without the images being read.

    Args:
        cfg (Config): Config of a run.
        *phases (str): Among 'train', 'val' and 'test'.

    Raises:
        InputError: If there is such a fault.
    """
    first = None
    for phase in phases:
        for data in labelled_data(cfg, phase):
            first = first or data
            faults = [*data.severe(), *other_folders(data, first)]
            if faults:
                kind, where = faults[0]
                raise InputError(
                    f'{phase}: {kind}: {where}' +
                    (f', and {len(faults) - 1} more' if faults[1:] else '') +
                    ('' if phase == 'test' else
                     '. tools/check_data.py names them all'))


def _read(data, phase, hashes, jobs):
    files = [path for path in data.files if path.is_file()]

    def read(path):
        try:
            digest = hashlib.sha1(path.read_bytes()).digest()
            return path, digest, list(data.read(path))
        except (OSError, SyntaxError, ValueError) as error:  # of Pillow
            return path, None, [('file that cannot be read',
                                 f'{path}: {error}')]

    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        for path, digest, faults in track(
                pool.map(read, files), f'Reading {phase}', total=len(files)):
            if digest:
                hashes[digest].append((phase, path))
            yield from faults


def _rows(phase, data, faults):
    rows = _shown(phase, faults)
    rows.append(dict(data=phase, check='images', found=f'{len(data.files):,}',
                     status='ok' if data.files else 'fault'))
    counts = data.counts()
    total = sum(counts.values()) or 1
    for name, number in counts.items():
        rows.append(
            dict(data=phase, check=f'{data.unit} of {name}',
                 found=f'{number:,} ({100 * number / total:.1f} %)',
                 status='ok' if number or phase != 'train' else 'nothing to '
                 'learn from'))
    return rows


def _shown(phase, faults):
    kinds = defaultdict(list)
    for kind, where in faults:
        kinds[kind].append(where)
    rows = []
    for kind, places in kinds.items():
        places[_SHOWN:] = [f'… and {len(places) - _SHOWN:,} more'
                           ] if places[_SHOWN:] else []
        rows += [
            dict(data=phase, check=kind, found=where, status='fault')
            for where in places
        ]
    return rows


def _draw_samples(cfg, out, number=16):
    init_default_scope(cfg.get('default_scope'))
    dataset = DATASETS.build(cfg.train_dataloader['dataset'])
    visualizer = VISUALIZERS.build({
        **cfg.get('visualizer', dict(type='Visualizer')),
        'name': f'samples of {out}', 'vis_backends': []
    })
    visualizer.dataset_meta = dataset.metainfo
    pictures = []
    chosen = np.linspace(0, len(dataset) - 1, min(number, len(dataset)))
    for index in chosen.astype(int).tolist():
        for image, data_sample in islice(_views(dataset[index]), 2):
            objects = data_sample.get('gt_instances')
            if hasattr(objects, 'bboxes'):  # the visualizer wants a tensor
                objects.bboxes = getattr(
                    objects.bboxes, 'tensor', objects.bboxes)
            image = image.permute(1, 2, 0).numpy()[..., ::-1]
            name = Path(data_sample.get('img_path') or str(index)).name
            draw = dict(image=np.ascontiguousarray(image),
                        data_sample=data_sample)
            if hasattr(visualizer, 'visualize_cls'):  # MMPreTrain's
                drawn = visualizer.visualize_cls(
                    **draw, classes=dataset.metainfo.get('classes'))
            else:
                visualizer.add_datasample(name, **draw, draw_pred=False)
                drawn = visualizer.get_image()
            pictures.append((name, mmcv.rgb2bgr(drawn)))
    out.mkdir(parents=True, exist_ok=True)
    path = out / 'contact_sheet.jpg'
    contact_sheet(pictures, path)
    return path


def _views(sample):
    """Yield image and data sample: one, or several of a self-supervised or
    semi-supervised training."""
    images, data_samples = sample['inputs'], sample['data_samples']
    if isinstance(images, dict):
        yield from ((image, data_samples[branch])
                    for branch, image in images.items() if image is not None)
    elif isinstance(images, list):
        yield from ((image, data_samples) for image in images)
    else:
        yield images, data_samples
