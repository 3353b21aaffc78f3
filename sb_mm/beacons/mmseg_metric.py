"""What segmentation of Beacons gets right, by distance."""
from pathlib import Path

import torch
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from prettytable import PrettyTable

from .distance import DISTANCES, ranges, read_beacons

_JPEG_BLOCK = 16  # a pixel may show in those of its block


@METRICS.register_module()
class BeaconsMetric(IoUMetric):
    """mIoU, and the accuracy of shape and colour by distance from the beacon.

    The class of an object is its shape, which is seen on the spot, combined
    with the colour of the beacon, which is not. The two parts are counted
    apart, over the pixels of the objects: ``shape_acc/…`` and
    ``colour_acc/…``, in percent. ``unseen`` are the pixels that nothing of the
    beacon can reach within ``reach``, ``seen`` the others, and ``40-60`` those
    that are 40 to 60 pixels away from its centre. ``shape_chance/…`` and
    ``colour_chance/…`` are what the best constant guess gets right there.

    Args:
        ann_file (str): COCO annotations of the images, which say where the
            beacons are.
        reach (int): How far a plain network sees, in pixels either way, see
            :func:`sb_mm.analysis.receptive_field`.
        distances (Sequence[int]): Bounds of the ranges in pixels. Defaults to
            0, 20, …, 240.
        **kwargs: Arguments of :class:`mmseg.evaluation.IoUMetric`.

    Raises:
        ValueError: If ``ann_file`` tells of no beacons.
    """

    def __init__(self, ann_file, reach, distances=DISTANCES, **kwargs):
        super().__init__(**kwargs)
        self.beacons = read_beacons(ann_file)
        self.reach = reach
        self.distances = distances

    def process(self, data_batch, data_samples):
        """Count the classes of ground truth and prediction in every range."""
        for sample in data_samples:
            super().process(data_batch, [sample])
            areas = self.results.pop()
            pred = sample['pred_sem_seg']['data'].squeeze().cpu()
            label = sample['gt_sem_seg']['data'].squeeze().to(pred)
            beacon = self.beacons[Path(sample['img_path']).name]
            masks = self._masks(label.shape, **beacon)
            self.results.append((areas, {
                name: self._confusion(label[mask], pred[mask])
                for name, mask in masks.items()
            }))

    def _masks(self, shape, centre, radius, **_):
        """dict[str, Tensor]: The pixels of each range."""
        dx = (torch.arange(shape[1]) - centre[0]).abs()[None]
        dy = (torch.arange(shape[0]) - centre[1]).abs()[:, None]
        seen = torch.maximum(dx, dy) <= self.reach + radius + _JPEG_BLOCK
        distance = torch.hypot(dx.float(), dy.float())
        return dict(
            seen=seen,
            unseen=~seen,
            **{
                name: (distance >= low) & (distance < high)
                for name, low, high in ranges(self.distances)
            })

    def _confusion(self, label, pred):
        count = len(self.dataset_meta['classes'])
        valid = label != self.ignore_index
        pairs = label[valid].long() * count + pred[valid].long()
        return torch.bincount(pairs, minlength=count**2).view(count, count)

    def compute_metrics(self, results):
        """Compute mIoU and the accuracies from the counts of all images."""
        areas, counts = zip(*results)
        metrics = super().compute_metrics(areas)
        parts = zip(*(name.split('_') for name in self.dataset_meta['classes']))
        table = PrettyTable(
            ['distance', 'pixels', 'shape', 'chance of shape', 'colour',
             'chance of colour'])
        parts = dict(zip(('shape', 'colour'), map(_same, parts)))
        for name in counts[0]:
            confusion = sum(count[name] for count in counts).double()
            total = confusion.sum().item()
            if not total:
                continue
            line = [name, int(total)]
            for part, same in parts.items():
                right = (confusion * same).sum().item()
                guess = (same.double() @ confusion.sum(1)).max().item()
                metrics[f'{part}_acc/{name}'] = 100 * right / total
                metrics[f'{part}_chance/{name}'] = 100 * guess / total
                line += [f'{100 * right / total:.1f}',
                         f'{100 * guess / total:.1f}']
            table.add_row(line)
        print_log('accuracy by distance from the beacon:\n'
                  f'{table.get_string()}',
                  MMLogger.get_current_instance())
        return metrics


def _same(names):
    """Tensor: Whether two classes share a part of their names, (C, C)."""
    return torch.tensor([[a == b for b in names] for a in names])
