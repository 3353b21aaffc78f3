"""What went wrong, in one line."""
import errno
import re
import textwrap
from pathlib import Path
from traceback import format_exception, walk_tb

import torch
from mmengine.config import Config

from .data_checks import explain_empty_dataset

#: What MMEngine says of a config without a part.
_MISSING = re.compile("'ConfigDict' object has no attribute "
                      r"'(model|\w+_(?:cfg|dataloader|evaluator|wrapper))'")
#: Where MMEngine reads config files, and imports what they name.
_READERS = ('fromfile', '_is_lazy_import', '_file2dict', '_parse_lazy_import')
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def describe(error):
    """Say what went wrong, and which part of the config was being built, or
    which line of a config file, or of a module that it imports, was being
    read.

    Args:
        error (Exception): What was raised.

    Returns:
        str: The type and message of an error of Python or of a toolbox, the
        message alone of one of ours.
    """
    if said := _in_a_config(error):
        return said
    text = _message(error)
    cfg, chain = None, []
    for frame, _ in walk_tb(error.__traceback__):
        local = frame.f_locals
        for value in (local.get('cfg'), getattr(
                local.get('self'), 'cfg', None)):
            if cfg is None and isinstance(value, Config):
                cfg = value
        if frame.f_code.co_name == 'build_from_cfg':
            chain.append(local['cfg'])
        if frame.f_code.co_name == '_serialize_data':
            text = explain_empty_dataset(local['self']) or text
    missing = _MISSING.fullmatch(str(error))
    if missing and cfg:
        text = f'the config {cfg.filename} has no {missing[1]}'
    if chain:
        part = _find(cfg.to_dict(), chain) if cfg else ''
        text = f'{part or "the part"} ({_type(chain[-1])}): {text}'
    return text


def _in_a_config(error):
    """str or None: What went wrong in a config file or in a module that it
    imports, with the file and the line."""
    frames = list(walk_tb(error.__traceback__))
    # MMEngine says of a module no more than that it cannot be imported
    while str(error).startswith('Failed to import ') and error.__context__:
        error = error.__context__
        frames += walk_tb(error.__traceback__)
    config = file = line = None
    for frame, number in frames:
        name, path = frame.f_code.co_name, frame.f_locals.get('filename')
        if name in _READERS and Path(path or '').is_file():
            config = file = path
            line = None
        elif config and name == '<module>':
            file, line = frame.f_code.co_filename, number
    if not config:
        return None
    text = _message(error)
    if isinstance(error, SyntaxError):
        text = f'SyntaxError: {error.msg}'
        if Path(error.filename or '').is_file():  # not MMEngine's copy
            file = error.filename
        line = error.lineno
    if isinstance(error, ModuleNotFoundError) and not line:
        text += '; custom_imports looks in the folders of PYTHONPATH'
    place = file + (f', line {line}' if line else '')
    return f'{place}: {text}' if file == config else (
        f'{config}: {place}: {text}')


def _message(error):
    # a process that loads data hands over a whole traceback as the message
    lines = str(error).strip().splitlines()
    if lines and lines[0].startswith('Caught '):
        return re.sub(r'^sb_mm\.[\w.]+: ', '', lines[-1])
    if getattr(error, 'errno', None) in _NO_SPACE:
        return f'no space left for what was to be written: {error}'
    if 'CppCompileError' in str(error) and ' ' in torch.__file__:
        return ('torch.compile cannot build here: PyTorch does not quote its '
                f'own path, which has a space: {Path(torch.__file__).parent}')
    ours = type(error).__module__.startswith('sb_mm.')
    if isinstance(error, KeyError):
        text = str(error.args[0]) if error.args else ''
    else:
        text = str(error).strip()
    if ours or type(error) in (ValueError, FileNotFoundError,
                               FileExistsError):
        return text
    text = textwrap.shorten(text, 300, placeholder=' …')
    return f'{type(error).__name__}: {text}'


def _type(cfg):
    kind = cfg.get('type')
    return kind if isinstance(kind, str) else getattr(kind, '__name__', kind)


def _find(cfg, chain):
    """The name in the config of the part that was built last, e.g.
    ``model.backbone``."""
    while chain:
        paths = list(_paths(cfg, [_type(part) for part in chain]))
        same = [path for path, part in paths if part == chain[-1]]
        if paths:
            return (same or [paths[0][0]])[0]
        chain = chain[1:]  # a loop has no part of the dataset that it builds
    return ''


def _paths(value, types, name='', part=None):
    if not types:
        yield name, part
        return
    for key, child in (
            value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(child, (dict, list, tuple)):
            path = f'{name}.{key}' if name else str(key)
            built = isinstance(child, dict) and _type(child) == types[0]
            yield from _paths(child, types[built:], path, child)


def write_traceback(error, folder):
    """Keep a traceback in a file.

    Args:
        error (Exception): What was raised.
        folder (str or Path): Folder for ``traceback.txt``.

    Returns:
        Path: The file.
    """
    path = Path(folder) / 'traceback.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(format_exception(error)))
    return path
