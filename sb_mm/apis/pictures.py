"""Pictures, videos and cameras that a command is given."""
import glob
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Iterable, Iterator, List, Sequence, Tuple, TypeVar, Union

import cv2
import mmcv
from PIL import Image
from torchvision.datasets.folder import IMG_EXTENSIONS

from .checks import InputError

VIDEO_EXTENSIONS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v')

Source = Union[Path, int]
_File = TypeVar('_File', str, Path)


def images_in(folder: Union[str, Path]) -> List[Path]:
    """Find the images of a folder and of those in it.

    Args:
        folder (str or Path): The folder.

    Returns:
        list[Path]: Them, in the order of their names.
    """
    return sorted(path for path in Path(folder).rglob('*')
                  if path.suffix.lower() in IMG_EXTENSIONS)


def missing(files: Iterable[_File]) -> Iterator[_File]:
    """Yield files that are not there, by lists of their folders, which are had
    sooner than an answer for each.

    Args:
        files (Iterable[str or Path]): The files.
    """
    there = {}
    for file in files:
        folder, name = os.path.split(file)
        if folder not in there:
            there[folder] = {
                entry.name for entry in os.scandir(folder or '.')
                if entry.is_file()
            } if Path(folder).is_dir() else ()
        if name not in there[folder]:
            yield file


def find_pictures(inputs: Sequence[str]) -> List[Tuple[Path, Path]]:
    """Find the files that a command is given.

    Args:
        inputs (list[str]): Files, folders of pictures, and patterns such as
            'photos/**/*.jpg'.

    Returns:
        list[tuple[Path, Path]]: Each file and its path in the folder that all
        have in common.

    Raises:
        InputError: If one of the inputs is nothing of that kind.
    """
    files = []
    for given in map(str, inputs):
        path = Path(given)
        if path.is_dir():
            found = images_in(path)
        elif path.is_file():
            found = [path]
        else:
            found = sorted(
                file for file in map(Path, glob.glob(given, recursive=True))
                if file.is_file())
        if not found:
            raise InputError(f'{given} is no file, no folder of pictures and '
                             'no pattern that fits a file')
        files += map(Path.absolute, found)
    root = os.path.commonpath([file.parent for file in files]) if files else ''
    return [(file, file.relative_to(root)) for file in dict.fromkeys(files)]


def find_sources(inputs: Sequence[str]) -> List[Tuple[Source, Path, int]]:
    """Find what :func:`find_pictures` finds, and cameras.

    Args:
        inputs (list[str]): As there, and cameras such as 'camera:0'.

    Returns:
        list[tuple]: File or number of the camera, its name in the output, and
        its number of pictures, 0 for a camera.

    Raises:
        InputError: As there, and if two files have the same path but for its
            extension.
    """
    cameras = {
        name: int(name[7:])
        for name in map(str, inputs)
        if name.startswith('camera:') and name[7:].isdigit()
    }
    files = find_pictures(
        [name for name in inputs if str(name) not in cameras])
    names = {}
    for file, name in files:
        other = names.setdefault(name.with_suffix(''), file)
        if other != file:
            raise InputError(f'{other} and {file} would be written to the '
                             'same file; predict them one after the other')
    return [(*file, 1) for file in files] + [
        (number, Path(f'camera{number}'), 0) for number in cameras.values()
    ]


def is_video(source: Source) -> bool:
    """Whether a file is a video, or it is the number of a camera."""
    return isinstance(
        source, int) or source.suffix.lower() in VIDEO_EXTENSIONS


def read_frames(sources, max_frames=None) -> Iterator[tuple]:
    """Yield source, name and image, which is None where it cannot be read.

    Args:
        sources (list[tuple]): What :func:`find_sources` returned.
        max_frames (int, optional): Frames of a video or camera to take.
            Defaults to None, all.
    """
    for source, name, _ in sources:
        if not is_video(source):
            image = None
            with suppress(Exception):  # OpenCV's own
                if not _is_cut_off(source):
                    image = mmcv.imread(str(source))
            yield source, name, image
            continue
        video = cv2.VideoCapture(
            source if isinstance(source, int) else str(source))
        number = 0
        while number != max_frames:
            there, image = video.read()
            if not there:
                break
            number += 1
            yield source, name.with_suffix('') / f'{number:06d}.jpg', image
        video.release()
        if not number:
            yield source, name, None


def _is_cut_off(path):
    """Whether a JPEG lacks its end, which OpenCV fills with grey."""
    try:
        with Image.open(path) as image:
            if image.format in ('JPEG', 'MPO'):
                image.draft('L', (1, 1))  # reads all of it, at an eighth
                image.load()
    except OSError as error:  # OpenCV may know a format that Pillow does not
        return 'truncated' in str(error)
    return False


def read_ahead(items: Iterator, number: int) -> Iterator:
    """Yield from an iterator that goes on in a thread of its own.

    Args:
        items (Iterator): It.
        number (int): Items to have ready.
    """
    with ThreadPoolExecutor(1) as reader:
        waiting = deque(
            reader.submit(next, items, None) for _ in range(number))
        try:
            while (item := waiting.popleft().result()) is not None:
                waiting.append(reader.submit(next, items, None))
                yield item
        finally:
            for each in waiting:
                each.cancel()
