"""What is checked before anything is built."""
from inspect import signature
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS

from .type_names import dicts_in, name_types

_CONFIGS = ('.py', '.json', '.yaml', '.yml')
#: Where to get the data of a dataset class.
_SOURCES = dict(
    CocoDataset='MS-COCO 2017: https://cocodataset.org/#download, unpacked to '
    'train2017/, val2017/ and annotations/',
    ADE20KDataset='ADE20K: '
    'http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip, '
    'unpacked to ADEChallengeData2016/',
    ImageNet='ImageNet-1K: https://image-net.org/download.php, unpacked to '
    'train/ and val/, a folder for each class',
    BeaconsDataset='Beacons are generated: python tools/make_beacons.py '
    '{root}')


class InputError(Exception):
    """What the user asked for cannot be run; the message says why."""


def listed(names, number=10):
    """Names for a message.

    Args:
        names (Iterable): They.
        number (int): How many to show. Defaults to 10.

    Returns:
        str: The first ones.
    """
    names = list(map(str, names))
    return ', '.join(names[:number]) + (', …' if names[number:] else '')


def check_at_least(least, **numbers):
    """Refuse a number that is too small.

    Args:
        least (int): The smallest that makes sense.
        **numbers (int or None): Numbers by the names of their flags.

    Raises:
        InputError: If one of them is smaller.
    """
    for name, number in numbers.items():
        if number is not None and number < least:
            raise InputError(f'--{name.replace("_", "-")} must be at least '
                             f'{least}, but is {number}')


def read_config(path, cfg_options=None):
    """Read a config file.

    Args:
        path (str or Path): The file.
        cfg_options (dict, optional): Settings to override. Defaults to None.

    Returns:
        Config: The config, its types by name.

    Raises:
        InputError: If there is no such file, or it is no config.
    """
    if not Path(path).is_file():
        what = 'is a folder' if Path(path).is_dir() else 'does not exist'
        raise InputError(f'the config {path} {what} '
                         f'(looked for {Path(path).absolute()})')
    if Path(path).suffix not in _CONFIGS:
        raise InputError(f'{path} is no config, whose name ends in '
                         f'{", ".join(_CONFIGS)}; it goes before a checkpoint')
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(cfg_options or {})
    for each in dicts_in(cfg._cfg_dict):
        for key in ('collate_fn', 'worker_init_fn'):
            # MMEngine would hand the scope of a base to the function itself.
            if isinstance(each.get(key), dict):
                each[key].pop('_scope_', None)
    return name_types(cfg)


def check_checkpoint(path):
    """Refuse a local checkpoint that does not exist.

    Args:
        path (str): Path, or address such as ``torchvision://resnet50``.

    Raises:
        InputError: If it is a path that does not lead to a file.
    """
    if _is_missing_file(path):
        raise InputError(f'the checkpoint {path} does not exist '
                         f'(looked for {Path(path).absolute()})')


def check_weights(cfg, name='model'):
    """Refuse local pretrained weights that do not exist, anywhere in a model.

    Args:
        cfg (dict or list): Config of the model or a part of it.
        name (str): Its name for the message. Defaults to 'model'.

    Raises:
        InputError: If an ``init_cfg`` or ``pretrained`` names a file that does
            not exist.
    """
    items = cfg.items() if isinstance(cfg, dict) else enumerate(cfg)
    for key, value in items:
        option, path = f'{name}.{key}', None
        if key == 'init_cfg' and isinstance(value, dict):
            option, path = f'{option}.checkpoint', value.get('checkpoint')
        elif key == 'pretrained':
            path = value
        elif isinstance(value, (dict, list, tuple)):
            check_weights(value, option)
        if path and _is_missing_file(path):
            raise InputError(
                f'the weights {path} ({option}) do not exist. Name another '
                f'file with "--cfg-options {option}=FILE", or start without '
                f'with "--cfg-options {name}.{key}=None"')


def check_data(cfg, *phases):
    """Refuse local data that does not exist.

    Args:
        cfg (Config): Config of the run.
        *phases (str): Which of 'train', 'val' and 'test' to check.

    Raises:
        InputError: If a file or folder is missing. The message names it and
            says where to get it and how to point elsewhere.
    """
    for phase in phases:
        loader = cfg.get(f'{phase}_dataloader')
        if loader:
            name = f'{phase}_dataloader.dataset'
            with DATASETS.switch_scope_and_registry(
                    cfg.get('default_scope')) as registry:
                for name, dataset in datasets_of(loader['dataset'], name):
                    _check_dataset(name, dataset, registry)
        for evaluator in evaluators_of(cfg, phase):
            path = evaluator.get('ann_file')
            if path and not evaluator.get('backend_args'):
                _check_path(path, f'{phase}_evaluator.ann_file', path)


def evaluators_of(cfg, phase):
    """list[dict]: Those of a phase, of which a config may name one or
    several."""
    evaluators = cfg.get(f'{phase}_evaluator') or []
    return [evaluators] if isinstance(evaluators, dict) else list(evaluators)


def datasets_of(dataset, name):
    """Yield the datasets inside wrappers such as ``RepeatDataset``."""
    if 'dataset' in dataset:
        yield from datasets_of(dataset['dataset'], f'{name}.dataset')
    elif 'datasets' in dataset:
        for i, child in enumerate(dataset['datasets']):
            yield from datasets_of(child, f'{name}.datasets.{i}')
    else:
        yield name, dataset


def tested_dataset(cfg):
    """The dataset of the test, the first one where there are several.

    Args:
        cfg (Config): Config of a model.

    Returns:
        dict: It, without wrappers; its ``pipeline`` reads an image.

    Raises:
        InputError: If the config has no ``test_dataloader``.
    """
    if not cfg.get('test_dataloader'):
        raise InputError(f'{cfg.filename} has no test_dataloader, whose '
                         'pipeline reads the images')
    return next(datasets_of(cfg.test_dataloader['dataset'], ''))[1]


def backbone_cfg(cfg):
    """The backbone of a model, or of the detector inside of it.

    Args:
        cfg (Config): Config of a model.

    Returns:
        dict: Its settings.

    Raises:
        InputError: If there is none.
    """
    for model in (cfg.model, cfg.model.get('detector') or {}):
        if model.get('backbone'):
            return model['backbone']
    raise InputError(f'the {cfg.model.type} of {cfg.filename} has no '
                     'model.backbone')


def _check_dataset(name, dataset, registry):
    root = dataset.get('data_root') or ''
    if dataset.get('backend_args') or _downloads(dataset, registry):
        return
    source = _SOURCES.get(dataset['type'], '').format(root=root)
    if root:
        _check_path(root, f'{name}.data_root', root, source)
    paths = {f'{name}.ann_file': dataset.get('ann_file')}
    prefix = dataset.get('data_prefix') or {}
    if isinstance(prefix, str):
        paths[f'{name}.data_prefix'] = prefix
    else:
        paths.update((f'{name}.data_prefix.{key}', path)
                     for key, path in prefix.items())
    for key, path in paths.items():
        if path:
            _check_path(Path(root, path), key, root or path, source)


def _downloads(dataset, registry):
    """Whether the dataset fetches its data by itself, as CIFAR does."""
    cls = dataset['type']
    cls = registry.get(cls) if isinstance(cls, str) else cls
    return dataset.get('download', True) and any(
        'download' in signature(base.__init__).parameters
        for base in cls.__mro__)


def _check_path(path, name, root, source=''):
    if _is_remote(path) or Path(path).exists():
        return
    raise InputError(
        f'{path} ({name}) does not exist (looked for '
        f'{Path(path).absolute()}).' + (f'\n  {source}.' if source else '') +
        f'\n  Data elsewhere: link it with "ln -s /path/to/data '
        f'{str(root).rstrip("/")}", or name it with "--cfg-options '
        f'{name}=PATH".')


def _is_missing_file(path):
    return not _is_remote(path) and not Path(path).expanduser().is_file()


def _is_remote(path):
    return '://' in str(path) or 's3:' in str(path)
