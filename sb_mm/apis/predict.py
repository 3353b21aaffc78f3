"""Predictions for pictures and videos of one's own."""
import csv
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import cv2
import mmcv
import numpy as np
import torch
from rich.progress import Progress

from ..utils.checkpoint_file import read_safely
from ..visualization.bias_pictures import BiasPictures
from .checks import InputError, check_at_least
from .pictures import find_sources, is_video, read_ahead, read_frames
from .predictors import build_predictor
from .web import build_page, serve


def predict(config: str,
            checkpoint: str,
            inputs: Sequence[str],
            out: str,
            against: Optional[Tuple[str, str]] = None,
            bias: bool = False,
            batch_size: int = 1,
            score_thr: float = 0.3,
            classes: Sequence[str] = (),
            opacity: Optional[float] = None,
            max_frames: Optional[int] = None,
            pictures: bool = True,
            device: Optional[str] = None,
            force: bool = False,
            web: bool = False,
            port: int = 7860,
            cfg_options: Optional[dict] = None,
            trust: bool = False) -> List[dict]:
    """Predict on pictures and videos, draw and write the predictions.

    ``out/pictures`` has the drawn pictures as JPEG and videos as MP4. Beside
    it stands ``predictions.json`` in COCO's format for a detector, ``labels``
    with a map of labels as PNG for each picture for a segmentor, or
    ``predictions.csv`` for a classifier; ``differences.csv`` of two models;
    ``bias`` with the bias maps.

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights.
        inputs (list[str]): Pictures, videos, folders of pictures, patterns,
            and cameras such as 'camera:0'.
        out (str): Folder to write to.
        against (tuple[str, str], optional): Config and weights of a second
            model, which is drawn beside the first and compared with it.
            Defaults to None.
        bias (bool): Whether to draw the bias maps of every SB block. Defaults
            to False.
        batch_size (int): Pictures at a time. Defaults to 1.
        score_thr (float): Detections of a smaller score are left out.
            Defaults to 0.3.
        classes (Sequence[str]): Classes to predict. Defaults to (), all.
        opacity (float, optional): Of what is drawn over a picture, 0 to 1.
            Defaults to None, the toolbox's.
        max_frames (int, optional): Frames of a video or camera to take.
            Defaults to None, all; a camera ends with Ctrl-C.
        pictures (bool): Whether to draw, which takes as long as a small
            network does. Defaults to True.
        device (str, optional): Device. Defaults to None, a GPU if there is
            one.
        force (bool): Whether to write to a folder that is not empty. Defaults
            to False.
        web (bool): Whether to open a page on 127.0.0.1 instead, which takes
            one picture after another. Defaults to False.
        port (int): Its port. Defaults to 7860.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read a checkpoint with more than weights in
            it, which can run code. Defaults to False.

    Returns:
        list[dict]: How many pictures were predicted, and a row for each that
        cannot be read, whose ``status`` says so.

    Raises:
        InputError: If the config, the checkpoint or a picture does not exist,
            ``out`` is not empty, or an argument does not fit the model.
    """
    out = Path(out)
    check_at_least(1, batch_size=batch_size, max_frames=max_frames)
    for flag, value in ('--opacity', opacity), ('--score-thr', score_thr):
        if value is not None and not 0 <= value <= 1:
            raise InputError(f'{flag} must be 0 to 1, but is {value}')
    if bool(inputs) == web:
        raise InputError('give pictures to predict on, or --web and none')
    sources = find_sources(inputs)
    if not web and out.exists() and any(out.iterdir()) and not force:
        raise InputError(f'{out} is not empty; --force writes to it')
    read_safely(trust)
    options = dict(score_thr=score_thr, opacity=opacity, classes=classes)
    models = [
        build_predictor(config, checkpoint, device, options, cfg_options,
                        trust)
    ]
    if against:
        models.append(build_predictor(*against, device, options, None, trust))
        if models[0].classes != models[1].classes:
            raise InputError(f'--against {against[0]} has other classes than '
                             f'{config}')
    maps = BiasPictures(models[0].model) if bias else None
    if web:
        names = [
            f'{Path(config).stem}, {Path(weights).stem}'
            for config, weights in [(config, checkpoint),
                                    *([against] if against else [])]
        ]
        serve(build_page(models, names, maps), port)
        return []
    out.mkdir(parents=True, exist_ok=True)
    rows, done, pending = [], 0, deque()
    frames = read_ahead(read_frames(sources, max_frames), 2 * batch_size)
    threads = torch.get_num_threads()
    # closed, so that what was predicted before an error or an interruption
    # stays; more than one thread would keep the model's waiting for their cores
    with closing(_Sink(out, models, pictures)) as sink, Progress(
    ) as progress, ThreadPoolExecutor(
            1, initializer=torch.set_num_threads, initargs=(1, )) as writer:
        bar = progress.add_task('Predicting', total=sum(
            count for _, _, count in sources) or None)
        try:
            while chunk := list(islice(frames, batch_size)):
                good = [each for each in chunk if each[2] is not None]
                rows += [
                    dict(picture=str(each[0]), status='cannot be read')
                    for each in chunk if each[2] is None
                ]
                images = [image for *_, image in good]
                samples = [model(images) for model in models] if images else []
                if maps and images:
                    maps.write(out / 'bias', [name for _, name, _ in good])
                for each, *predictions in zip(good, *samples):
                    pending.append(
                        writer.submit(sink.write, each, predictions))
                while len(pending) > 2 * batch_size:
                    pending.popleft().result()
                done += len(good)
                progress.advance(bar, len(chunk))
        except KeyboardInterrupt:  # how a camera ends
            if not any(isinstance(source, int) for source, *_ in sources):
                raise
        finally:
            torch.set_num_threads(threads)  # of threads to come
        for each in pending:
            each.result()
    text = f'{done} pictures in {out}'
    if against:
        text += f', {sink.differing} of them predicted differently'
    return [dict(picture=text, status='ok'), *rows]


class _Sink:
    """Where predictions go: drawn pictures, files of the toolbox's format, a
    list of differences."""

    def __init__(self, out, models, pictures):
        self.out, self.models, self.pictures = out, models, pictures
        self.differing, self.videos, self.list = 0, {}, None
        models[0].open(out)

    def write(self, picture, predictions):
        source, name, image = picture
        self.models[0].write(name, image, predictions[0])
        if self.pictures:
            self._draw(source, name, image, predictions)
        if len(predictions) == 2:
            self._write_difference(
                name, self.models[0].difference(*predictions))

    def _draw(self, source, name, image, predictions):
        drawn = [
            model.draw(image.copy(), sample)
            for model, sample in zip(self.models, predictions)
        ]
        # MMPreTrain's pictures are larger
        height = max(each.shape[0] for each in drawn)
        drawn = np.hstack([
            cv2.copyMakeBorder(each, 0, height - each.shape[0], 0, 0,
                               cv2.BORDER_CONSTANT) for each in drawn
        ])
        if is_video(source):
            self._write_frame(source, name.parent, drawn)
        else:
            mmcv.imwrite(drawn, self.models[0].path('pictures', name, '.jpg'))

    def _write_frame(self, source, name, drawn):
        if source not in self.videos:
            rate = 25. if isinstance(source, int) else cv2.VideoCapture(
                str(source)).get(cv2.CAP_PROP_FPS)
            path = self.models[0].path('pictures', name, '.mp4')
            self.videos[source] = cv2.VideoWriter(
                path, cv2.VideoWriter_fourcc(*'mp4v'), rate or 25.,
                drawn.shape[1::-1])
            if not self.videos[source].isOpened():
                height, width = drawn.shape[:2]
                raise InputError(
                    f'{path} cannot be written with {width}x{height} pixels; '
                    '--no-pictures predicts without')
        self.videos[source].write(np.ascontiguousarray(drawn))

    def _write_difference(self, name, difference):
        if self.list is None:
            self.list = open(self.out / 'differences.csv', 'w', newline='')
            self.writer = csv.writer(self.list)
            self.writer.writerow(['picture', *difference])
        if any(difference.values()):
            self.differing += 1
            self.writer.writerow([name, *difference.values()])

    def close(self):
        self.models[0].close()
        for video in self.videos.values():
            video.release()
        if self.list:
            self.list.close()
