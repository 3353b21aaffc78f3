"""Predictions for pictures of one's own, by the toolboxes' inferencers."""
import csv
import glob
import json
import os
from itertools import islice
from pathlib import Path

import mmcv
import torch
from rich.progress import track
from torchvision.datasets.folder import IMG_EXTENSIONS

from ..checkpoints import read_safely
from .checks import InputError, check_checkpoint, read_config
from .model import load_weights


def predict(config,
            checkpoint,
            inputs,
            out,
            batch_size=1,
            score_thr=0.3,
            device=None,
            force=False,
            cfg_options=None,
            trust=False):
    """Predict on pictures, draw and write the predictions.

    ``out/pictures`` has the drawn pictures as JPEG. Beside it stands
    ``predictions.json`` in COCO's format for a detector, ``labels`` with a map
    of labels as PNG for each picture for a segmentor, or ``predictions.csv``
    for a classifier.

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights.
        inputs (list[str]): Pictures, folders of pictures, and patterns.
        out (str): Folder to write to.
        batch_size (int): Pictures at a time. Defaults to 1.
        score_thr (float): Detections of a smaller score are left out.
            Defaults to 0.3.
        device (str, optional): Device. Defaults to None, a GPU if there is
            one.
        force (bool): Whether to write to a folder that is not empty. Defaults
            to False.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read a checkpoint with more than weights in
            it, which can run code. Defaults to False.

    Returns:
        list[dict]: How many pictures were predicted, and a row for each that
        cannot be read, whose ``status`` says so.

    Raises:
        InputError: If the config, the checkpoint or a picture does not exist,
            or ``out`` is not empty.
    """
    cfg = read_config(config, cfg_options)
    check_checkpoint(checkpoint)
    files = _find(inputs)
    out = Path(out)
    if out.exists() and any(out.iterdir()) and not force:
        raise InputError(f'{out} is not empty; --force writes to it')
    read_safely(trust)
    scope = cfg.get('default_scope')
    if scope not in _TASKS:
        raise InputError(f'default_scope of {config} must be one of '
                         f'{", ".join(_TASKS)}, but is {scope}')
    task = _TASKS[scope](cfg, checkpoint, device, out, score_thr)
    load_weights(task.inferencer.model, checkpoint, trust)  # all of them
    root = Path(os.path.commonpath([file.parent for file in files]))
    rows, done, files = [], 0, iter(track(files, 'Predicting'))
    try:
        while chunk := list(islice(files, batch_size)):
            images = {}
            for file in chunk:
                try:
                    image = mmcv.imread(str(file))
                except Exception:  # OpenCV's own
                    image = None
                if image is None:
                    rows.append(
                        dict(picture=str(file), status='cannot be read'))
                else:
                    images[file.relative_to(root)] = image
            if images:
                for (name, image), sample in zip(
                        images.items(), task(list(images.values()))):
                    task.write(name, image, sample)
            done += len(images)
    finally:  # what was predicted before an interruption stays
        task.close()
    return [dict(picture=f'{done} pictures in {out}', status='ok'), *rows]


def _find(inputs):
    files = []
    for name in map(str, inputs):
        path = Path(name)
        if path.is_dir():
            found = sorted(
                file for file in path.rglob('*')
                if file.suffix.lower() in IMG_EXTENSIONS)
        else:
            found = [path] if path.is_file() else sorted(
                map(Path, glob.glob(name, recursive=True)))
        if not found:
            raise InputError(f'{name} is no picture, no folder of pictures and '
                             f'no pattern that fits one')
        files += [file.absolute() for file in found]
    names = {}
    for file in files:
        other = names.setdefault(file.with_suffix(''), file)
        if other != file:
            raise InputError(f'{other} and {file} would be written to the '
                             'same file; predict them one after the other')
    return list(names.values())


class _Task:
    """An inferencer, and what becomes of its predictions."""

    def __init__(self, cfg, checkpoint, device, out, score_thr):
        self.out, self.score_thr = out, score_thr
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.inferencer = self.build(cfg, checkpoint, device)
        out.mkdir(parents=True, exist_ok=True)

    def path(self, folder, name, suffix):
        path = self.out / folder / name.with_suffix(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def draw(self, name, image, sample, **kwargs):
        self.inferencer.visualizer.add_datasample(
            '', image[..., ::-1], sample.cpu(), draw_gt=False,
            out_file=self.path('pictures', name, '.jpg'), **kwargs)

    def close(self):
        pass


class _Detection(_Task):

    def build(self, cfg, checkpoint, device):
        from mmdet.apis import DetInferencer
        inferencer = DetInferencer(
            cfg, checkpoint, device, show_progress=False)
        classes = inferencer.model.dataset_meta['classes']
        self.coco = dict(images=[], annotations=[], categories=[
            dict(id=i, name=name) for i, name in enumerate(classes, 1)])
        return inferencer

    def __call__(self, images):
        return self.inferencer(
            images, batch_size=len(images), return_datasamples=True,
            no_save_vis=True)['predictions']

    def write(self, name, image, sample):
        from mmdet.structures.mask import encode_mask_results
        self.draw(name, image, sample, pred_score_thr=self.score_thr)
        height, width = image.shape[:2]
        number = len(self.coco['images']) + 1
        self.coco['images'].append(
            dict(id=number, file_name=str(name), height=height, width=width))
        found = sample.pred_instances
        found = found[found.scores >= self.score_thr].cpu()
        masks = encode_mask_results(
            found.masks.numpy()) if 'masks' in found else [None] * len(found)
        for box, score, label, mask in zip(
                found.bboxes.tolist(), found.scores.tolist(),
                found.labels.tolist(), masks):
            x1, y1, x2, y2 = box
            row = dict(
                id=len(self.coco['annotations']) + 1,
                image_id=number,
                category_id=label + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=0,
                score=score)
            if mask is not None:
                row['segmentation'] = dict(
                    mask, counts=mask['counts'].decode())
            self.coco['annotations'].append(row)

    def close(self):
        (self.out / 'predictions.json').write_text(json.dumps(self.coco))


class _Segmentation(_Task):

    def build(self, cfg, checkpoint, device):
        from mmseg.apis import MMSegInferencer
        inferencer = MMSegInferencer(
            cfg, checkpoint, device=device, show_progress=False)
        # it takes those of Cityscapes otherwise
        inferencer.visualizer.dataset_meta = inferencer.model.dataset_meta
        return inferencer

    def __call__(self, images):
        samples = self.inferencer(
            images, batch_size=len(images), return_datasamples=True)
        return samples if isinstance(samples, list) else [samples]

    def write(self, name, image, sample):
        self.draw(name, image, sample)
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        mmcv.imwrite(labels.astype('uint8'), self.path('labels', name, '.png'))


class _Classification(_Task):

    def build(self, cfg, checkpoint, device):
        from mmpretrain.apis import ImageClassificationInferencer
        from mmpretrain.visualization import UniversalVisualizer
        inferencer = ImageClassificationInferencer(
            cfg, pretrained=checkpoint, device=device)
        inferencer.visualizer = UniversalVisualizer()
        self.file = None
        return inferencer

    def __call__(self, images):
        return self.inferencer(
            images, batch_size=len(images), return_datasamples=True)

    def write(self, name, image, sample):
        classes = self.inferencer.classes
        self.inferencer.visualizer.visualize_cls(
            image[..., ::-1], sample.cpu(), classes=classes, draw_gt=False,
            out_file=self.path('pictures', name, '.jpg'))
        if self.file is None:
            self.file = open(self.out / 'predictions.csv', 'w', newline='')
            self.writer = csv.writer(self.file)
            self.writer.writerow(['picture', 'label', 'class', 'score'])
        label = sample.pred_score.argmax().item()
        self.writer.writerow([
            name, label, classes[label] if classes else '',
            round(sample.pred_score[label].item(), 6)
        ])

    def close(self):
        if self.file:
            self.file.close()


_TASKS = dict(
    mmdet=_Detection, mmseg=_Segmentation, mmpretrain=_Classification)
