"""Files of weights, read without running what is in them."""
import codecs
import pickle
import re
import zipfile
from collections import Counter
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Union
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as checkpoint_of_mmengine


class CheckpointError(ValueError):
    """A file that cannot be read as a checkpoint; the message says why."""


class DamagedError(CheckpointError):
    """One that cannot be read at all."""

    def __init__(self, path, reason):
        super().__init__(f'{path} cannot be read as a checkpoint; it may be '
                         f'damaged ({reason})')


def read_checkpoint(path: Union[str, Path],
                    trust: bool = False,
                    map_location: str = 'cpu') -> dict:
    """Read a checkpoint without running code that is in it: of PyTorch,
    weights alone in the format of safetensors, or the pickled arrays (``.pkl``)
    of Detectron2.

    Besides weights the runner writes the history of its log, which is read
    with its arrays of NumPy. Other objects of mmengine are left out;
    everything else is refused. Weights that are called ``model``, as those of
    Detectron2 are, become the ``state_dict``.

    Args:
        path (str or Path): File to read.
        trust (bool): Whether to read objects of all kinds. Defaults to False.
        map_location (str): Device. Defaults to 'cpu'.

    Returns:
        dict: The checkpoint.

    Raises:
        CheckpointError: If the file is damaged or has anything else in it, or
            it ends in ``.safetensors`` and there is no safetensors.
    """
    if Path(path).suffix == '.safetensors':
        return _read_safetensors(path)
    try:
        if Path(path).suffix == '.pkl' and not zipfile.is_zipfile(path):
            checkpoint = _read_pickle(path, trust)
        else:
            allowed, options = (nullcontext(), dict(weights_only=False)
                                ) if trust else _restricted(path)
            with allowed:
                checkpoint = torch.load(path, map_location, **options)
    except Exception as error:  # of any kind, where bytes are damaged
        found = re.search(r'(?:GLOBAL|Trying to call) (\S+)', str(error))
        if found:
            raise CheckpointError(
                f'{path} has more than weights in it ({found[1]}), which can '
                'run code when it is read. If you know where it comes from, '
                'read it with --trust') from error
        reason = str(error).strip().splitlines() or [repr(error)]
        raise DamagedError(path, reason[0]) from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, not '
                         'the weights of a model')
    if 'state_dict' not in checkpoint and isinstance(
            checkpoint.get('model'), dict):  # of Detectron2, torchvision
        checkpoint['state_dict'] = {
            k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v
            for k, v in checkpoint.pop('model').items()
        }
    return _without_stand_ins(checkpoint)


def _read_safetensors(path):
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(f'{path} needs safetensors: pip install '
                              'safetensors') from error
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DamagedError(path, error) from error


def _read_pickle(path, trust):
    unpickler = pickle.Unpickler if trust else _Pickle.Unpickler
    with open(path, 'rb') as file:
        return unpickler(file, encoding='latin1').load()


def read_safely(trust: bool = False) -> None:
    """Have the runner, ``init_cfg`` and everything else of mmengine read
    checkpoints by :func:`read_checkpoint`, whose errors name the file.

    Args:
        trust (bool): Whether to read objects of all kinds. Defaults to False.
    """

    @CheckpointLoader.register_scheme(prefixes='', force=True)
    def load_from_local(filename, map_location):
        path = Path(filename).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'{path} can not be found.')
        return read_checkpoint(path, trust, map_location)

    def load_url(url, model_dir=None, map_location=None, progress=True):
        folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / Path(urlparse(url).path).name
        if path.is_file():
            return read_checkpoint(path, trust, map_location)
        torch.hub.download_url_to_file(url, str(path), progress=progress)
        try:
            return read_checkpoint(path, trust, map_location)
        except DamagedError as error:  # cut off, or the page of a proxy
            path.unlink()  # which nobody would download again
            raise CheckpointError(
                f'what came from {url} was removed: {error}') from error

    # what https:// and the schemes that stand for addresses end in
    checkpoint_of_mmengine.load_url = load_url


class _StandIn:
    """Takes the place of an object, and does nothing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __setstate__(self, state):
        pass


def _without_stand_ins(value):
    if isinstance(value, dict):
        return {
            k: _without_stand_ins(v)
            for k, v in value.items() if not isinstance(v, _StandIn)
        }
    if type(value) in (list, tuple):
        return type(value)(
            _without_stand_ins(v) for v in value
            if not isinstance(v, _StandIn))
    return value


def _restricted(path):
    """The context, and the arguments of ``torch.load``, that read a file with
    what :func:`_own` allows beside tensors."""
    serialization = torch.serialization
    if not hasattr(serialization, 'get_unsafe_globals_in_checkpoint'):
        return nullcontext(), dict(weights_only=False, pickle_module=_Pickle)
    names = {*_ARRAYS, _HISTORY, 'builtins.getattr'}
    if zipfile.is_zipfile(path):  # not the format before PyTorch 1.6
        names.update(serialization.get_unsafe_globals_in_checkpoint(path))
    # the types of numbers
    allowed = [
        type(np.dtype(code)) for code in '?' + np.typecodes['AllInteger'] +
        np.typecodes['AllFloat']
    ]
    allowed += [(own, name) for name in sorted(names) if (own := _own(name))]
    return serialization.safe_globals(allowed), dict(weights_only=True)


def _own(name):
    """What is read for a name in a file that PyTorch refuses, or None."""
    module, _, attribute = name.rpartition('.')
    if name == 'builtins.getattr':
        return _statistics
    if name in _ARRAYS or name == _HISTORY or (
            module == 'numpy.dtypes' and attribute.endswith('DType')):
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError):  # of another NumPy
            return None
    return _StandIn if name.startswith('mmengine.') else None


#: What PyTorch since 2.6 allows by itself; bytes are written as text.
_NEWER = {'_codecs.encode': codecs.encode, 'builtins.set': set,
          'collections.Counter': Counter}


class _Pickle:
    """Takes the place of the module ``pickle`` for arrays, and in PyTorch
    before 2.6, whose own restricted reader cannot be told of the history of a
    log."""
    __name__ = 'pickle'

    class Unpickler(pickle.Unpickler):

        def find_class(self, module, name):
            # the name of Python 2, in the protocol that PyTorch writes
            name = f'{module.replace("__builtin__", "builtins")}.{name}'
            found = _NEWER.get(name) or _own(name)
            if found is None:
                unpickler = torch._weights_only_unpickler
                found = unpickler._get_allowed_globals().get(name)
            if found is None:
                raise pickle.UnpicklingError(f'GLOBAL {name}')
            return found

    @classmethod
    def load(cls, file, **kwargs):
        return cls.Unpickler(file, **kwargs).load()


_HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
#: What arrays of NumPy 1 and 2 are made with.
_ARRAYS = ('numpy.ndarray', 'numpy.dtype') + tuple(
    f'numpy.{core}.multiarray.{name}' for core in ('core', '_core')
    for name in ('_reconstruct', 'scalar'))


def _statistics(cls, name):
    """Takes the place of ``getattr``, by which the history of a log names its
    own statistics, and a scheduler a method of its own."""
    if cls is _StandIn or isinstance(cls, _StandIn):
        return _StandIn()
    if cls is not HistoryBuffer or name not in ('min', 'max', 'current',
                                                'mean'):
        raise pickle.UnpicklingError(f'Trying to call builtins.getattr of '
                                     f'{cls!r}')
    return getattr(cls, name)


def checked_weights(weights, path):
    """The weights without the prefix of DDP, if they are sound."""
    others = [
        str(key) for key, value in weights.items()
        if not torch.is_tensor(value)
    ]
    if others or not weights:
        raise ValueError(f'{path} does not hold the weights of a model: '
                         f'{", ".join(others[:3]) or "it is empty"}')
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ValueError(f'{name} in {path} has values that are not '
                             'finite')
    if all(name.startswith('module.') for name in weights):
        return {k.removeprefix('module.'): v for k, v in weights.items()}
    return weights
