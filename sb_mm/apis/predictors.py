"""The toolboxes' inferencers, and what becomes of their predictions."""
import csv
import json

import mmcv
import numpy as np
import torch
from mmengine.registry import DATASETS
from torchvision.ops import box_iou

from ..visualization.pillow_canvas import PillowCanvas
from .checks import (InputError, check_checkpoint, read_config,
                     tested_dataset)
from .model import check_classifier, is_multi_label, load_weights


def build_predictor(config, checkpoint, device, options, cfg_options=None,
                    trust=False):
    """Build the predictor of a config's toolbox.

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights, all of them.
        device (str, optional): Device; None for a GPU if there is one.
        options (dict): ``score_thr``, ``opacity`` and ``classes``.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read more than weights. Defaults to False.

    Returns:
        Predictor: The predictor.

    Raises:
        InputError: If the config is of no toolbox, or has not the classes.
    """
    cfg = read_config(config, cfg_options)
    check_checkpoint(checkpoint)
    dataset = tested_dataset(cfg)  # the inferencers know no wrappers
    cfg.test_dataloader.dataset = dataset
    scope = cfg.get('default_scope')
    if scope not in PREDICTORS:
        raise InputError(f'default_scope of {config} must be one of '
                         f'{", ".join(PREDICTORS)}, but is {scope}')
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return PREDICTORS[scope](cfg, checkpoint, device, trust, **options)


class Predictor:
    """An inferencer, how its predictions are drawn, written and compared.

    Args:
        cfg (Config): Config of the model.
        checkpoint (str): Its weights.
        device (str): Device.
        trust (bool): Whether to read more than weights.
        score_thr (float): Detections of a smaller score are left out.
            Defaults to 0.3.
        opacity (float, optional): Of what is drawn over a picture, 0 to 1.
            Defaults to None, 0.8.
        classes (Sequence[str]): Names of the classes to predict. Defaults to
            (), all.
    """

    def __init__(self, cfg, checkpoint, device, trust, score_thr=0.3,
                 opacity=None, classes=()):
        self.inferencer = self.build(cfg, checkpoint, device)
        meta = load_weights(self.model, checkpoint, trust).get('meta') or {}
        if not {'dataset_meta', 'CLASSES'} & meta.keys():
            # the inferencer takes those of COCO or Cityscapes
            dataset = cfg.test_dataloader.dataset
            self.model.dataset_meta = DATASETS.build(
                dict(dataset, lazy_init=True, pipeline=[])).metainfo
        # MMSegmentation's takes those of Cityscapes in any case
        self.inferencer.visualizer.dataset_meta = self.model.dataset_meta
        PillowCanvas.put_into(self.inferencer.visualizer)
        self.score_thr = score_thr
        if opacity is not None:
            self.inferencer.visualizer.alpha = opacity
        self.classes = tuple(self.names())
        unknown = [name for name in classes or () if name not in self.classes]
        if unknown:
            raise InputError(f'--classes: there is no {", ".join(unknown)}; '
                             f'the model has {", ".join(self.classes)}')
        self.chosen = [self.classes.index(name) for name in classes or ()]

    @property
    def model(self):
        """nn.Module: The model."""
        return self.inferencer.model

    def names(self):
        """Sequence[str]: The classes of the model."""
        return self.model.dataset_meta.get('classes') or ()

    def draw(self, image, sample, **kwargs):
        """Draw a prediction.

        Args:
            image (np.ndarray): Shape (H, W, 3), BGR.
            sample (DataSample): The prediction.

        Returns:
            np.ndarray: Shape (H, W, 3), BGR.
        """
        visualizer = self.inferencer.visualizer
        visualizer.add_datasample(
            '', image[..., ::-1], sample, draw_gt=False, **kwargs)
        return visualizer.get_image()[..., ::-1]

    def open(self, out):
        """Begin to write to a folder."""
        self.out = out

    def close(self):
        """End what was begun."""

    def path(self, folder, name, suffix):
        """str: A file to write, for the picture of a name."""
        path = self.out / folder / name.with_suffix(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)


class Detector(Predictor):
    """MMDetection's. It writes COCO's format, ``predictions.json``."""

    def build(self, cfg, checkpoint, device):
        from mmdet.apis import DetInferencer
        return DetInferencer(cfg, checkpoint, device, show_progress=False)

    def __call__(self, images):
        from ..models.instance_tta import complete_boxes
        samples = self.inferencer(
            images, batch_size=len(images), return_datasamples=True,
            no_save_vis=True)['predictions']
        for sample in samples:
            if 'pred_instances' not in sample:
                raise InputError(
                    f'{type(self.model).__name__} predicts no objects: neither'
                    ' boxes nor masks')
            found = sample.pred_instances.cpu()
            complete_boxes(found)
            keep = found.scores >= self.score_thr
            if self.chosen:
                keep &= torch.isin(found.labels, torch.tensor(self.chosen))
            sample.pred_instances = found[keep]
        return samples

    def draw(self, image, sample):
        return super().draw(image, sample, pred_score_thr=self.score_thr)

    def open(self, out):
        super().open(out)
        # written as they come, so that their number does not matter
        self.images, self.written = [], 0
        self.file = open(out / 'predictions.json', 'w')
        self.file.write('{"categories": ' + json.dumps([
            dict(id=i, name=name) for i, name in enumerate(self.classes, 1)
        ]) + ',\n"annotations": [')

    def write(self, name, image, sample):
        from mmdet.structures.mask import encode_mask_results
        from pycocotools.mask import area as mask_area
        height, width = image.shape[:2]
        number = len(self.images) + 1
        self.images.append(
            dict(id=number, file_name=str(name), height=height, width=width))
        found = sample.pred_instances
        masks = encode_mask_results(
            found.masks.numpy()) if 'masks' in found else [None] * len(found)
        for box, score, label, mask in zip(
                found.bboxes.tolist(), found.scores.tolist(),
                found.labels.tolist(), masks):
            x1, y1, x2, y2 = box
            self.written += 1
            row = dict(
                id=self.written,
                image_id=number,
                category_id=label + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=0,
                score=score)
            if mask is not None:
                row['area'] = mask_area(mask).item()
                row['segmentation'] = dict(
                    mask, counts=mask['counts'].decode())
            self.file.write(('' if self.written == 1 else ',') + '\n' +
                            json.dumps(row))

    def close(self):
        self.file.write(f'],\n"images": {json.dumps(self.images)}}}\n')
        self.file.close()

    def difference(self, sample, other):
        """dict: Objects of one that the other has not, by class and an IoU of
        0.5."""
        ours, theirs = sample.pred_instances, other.pred_instances
        same = (box_iou(ours.bboxes, theirs.bboxes) >= .5) & (
            ours.labels[:, None] == theirs.labels)
        pairs = 0
        while same.any():  # each object once
            i, j = divmod(same.flatten().int().argmax().item(), same.size(1))
            same[i], same[:, j] = False, False
            pairs += 1
        return {
            'only in the first': len(ours) - pairs,
            'only in the second': len(theirs) - pairs
        }


class Segmentor(Predictor):
    """MMSegmentation's. It writes maps of labels as PNG, ``labels``: of 8
    bits, in which 255 is no class, or for more classes of 16, and 65535."""

    @property
    def dtype(self):
        """np.dtype: Type of the labels, whose largest value is no class."""
        return np.dtype('u1' if self.model.num_classes < 256 else 'u2')

    @property
    def none(self):
        """int: The label of no class."""
        return np.iinfo(self.dtype).max

    def build(self, cfg, checkpoint, device):
        from mmseg.apis import MMSegInferencer
        inferencer = MMSegInferencer(cfg, checkpoint, device=device)
        inferencer.show_progress = False  # no argument before 1.3
        return inferencer

    def __call__(self, images):
        samples = self.inferencer(
            images, batch_size=len(images), return_datasamples=True)
        samples = samples if isinstance(samples, list) else [samples]
        for sample in samples:
            if self.chosen:
                labels = sample.pred_sem_seg.data
                other = ~torch.isin(
                    labels, torch.tensor(self.chosen, device=labels.device))
                labels[other] = self.none
            del sample.seg_logits  # large, and of no use from here on
        return [sample.cpu() for sample in samples]

    def draw(self, image, sample):
        drawn = super().draw(image, sample)
        other = sample.pred_sem_seg.data[0].numpy() == self.none
        return np.where(other[..., None], image, drawn)

    def write(self, name, image, sample):
        labels = sample.pred_sem_seg.data[0].numpy()
        mmcv.imwrite(
            labels.astype(self.dtype), self.path('labels', name, '.png'))

    def difference(self, sample, other):
        """dict: Share of the pixels whose labels differ."""
        differ = sample.pred_sem_seg.data != other.pred_sem_seg.data
        return {'pixels (%)': round(100 * differ.float().mean().item(), 2)}


class Classifier(Predictor):
    """MMPreTrain's. It writes ``predictions.csv``."""

    def build(self, cfg, checkpoint, device):
        from mmpretrain.apis import ImageClassificationInferencer
        from mmpretrain.visualization import UniversalVisualizer
        inferencer = ImageClassificationInferencer(
            cfg, pretrained=checkpoint, device=device)
        check_classifier(inferencer.model)
        inferencer.visualizer = UniversalVisualizer()
        inferencer.model.dataset_meta = dict(classes=inferencer.classes)
        return inferencer

    def __call__(self, images):
        samples = self.inferencer(
            images, batch_size=len(images), return_datasamples=True)
        for sample in samples:
            if self.chosen:
                scores = torch.zeros_like(sample.pred_score)
                scores[self.chosen] = sample.pred_score[self.chosen]
                labels = sample.pred_label.tolist()
                sample.set_pred_score(scores).set_pred_label(
                    [label for label in labels if label in self.chosen]
                    if is_multi_label(self.model) else scores.argmax())
        return [sample.cpu() for sample in samples]

    def draw(self, image, sample):
        return self.inferencer.visualizer.visualize_cls(
            image[..., ::-1], sample, classes=self.classes or None,
            draw_gt=False)[..., ::-1]

    def open(self, out):
        super().open(out)
        self.file = open(out / 'predictions.csv', 'w', newline='')
        self.writer = csv.writer(self.file)
        self.writer.writerow(['picture', 'label', 'class', 'score'])

    def write(self, name, image, sample):
        self.writer.writerow([name] + [  # several labels have spaces between
            ' '.join(map(str, cell)) for cell in (
                sample.pred_label.tolist(), self._classes_of(sample),
                [round(sample.pred_score[label].item(), 6)
                 for label in sample.pred_label])
        ])

    def _classes_of(self, sample):
        return [self.classes[label] for label in sample.pred_label
                if self.classes]

    def close(self):
        self.file.close()

    def difference(self, sample, other):
        """dict: The classes of both, if they are not the same."""
        ours, theirs = (
            ' '.join(self._classes_of(each)
                     or map(str, each.pred_label.tolist()))
            for each in (sample, other))
        return {'classes': f'{ours}, {theirs}' if ours != theirs else ''}


#: The predictor of each toolbox.
PREDICTORS = dict(mmdet=Detector, mmseg=Segmentor, mmpretrain=Classifier)
