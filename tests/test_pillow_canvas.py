"""Pictures drawn by Pillow are those that Matplotlib draws."""
import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData, PixelData
from mmengine.visualization import Visualizer
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from sb_mm.visualization.pillow_canvas import PillowCanvas

IMAGE = np.full((240, 320, 3), (90, 110, 130), 'uint8')
META = dict(classes=['disc', 'Größe'], palette=[(255, 0, 0), (0, 0, 255)])


def draw_objects(visualizer, with_masks=True):
    masks = np.zeros((2, *IMAGE.shape[:2]), 'uint8')
    cv2.circle(masks[0], (80, 90), 45, 1, -1)
    cv2.ellipse(masks[1], (220, 140), (70, 40), 0, 0, 360, 1, -1)
    found = InstanceData(
        bboxes=torch.tensor([[35., 45, 125, 135], [150, 100, 290, 180]]),
        labels=torch.tensor([0, 1]),
        scores=torch.tensor([.9, .8]))
    if with_masks:
        found.masks = torch.from_numpy(masks).bool()
    visualizer.add_datasample(
        '', IMAGE, DetDataSample(pred_instances=found), draw_gt=False)


def draw_boxes(visualizer):
    draw_objects(visualizer, with_masks=False)


def draw_labels(visualizer):
    labels = torch.zeros(1, *IMAGE.shape[:2], dtype=torch.long)
    labels[:, 100:] = 1
    visualizer.add_datasample('', IMAGE, SegDataSample(
        pred_sem_seg=PixelData(data=labels)), draw_gt=False)


def draw_class(visualizer):
    sample = DataSample().set_pred_label(1).set_pred_score(
        torch.tensor([.2, .8]))
    visualizer.visualize_cls(IMAGE, sample, draw_gt=False)


def draw_shapes(visualizer):
    visualizer.set_image(IMAGE)
    visualizer.draw_lines(np.array([10, 300]), np.array([20, 200]), 'y')
    visualizer.draw_circles(np.array([160, 120]), np.array([60]), 'w',
                            face_colors='r')
    visualizer.draw_texts(['two\nlines', 'right'],
                          np.array([[160, 120], [310, 230]]), 30, ['k', 'w'],
                          ['center', 'bottom'], ['center', 'right'])


@pytest.mark.parametrize('kind, draw', [
    (DetLocalVisualizer, draw_objects), (DetLocalVisualizer, draw_boxes),
    (SegLocalVisualizer, draw_labels), (UniversalVisualizer, draw_class),
    (Visualizer, draw_shapes)])
def test_it_draws_what_matplotlib_draws(kind, draw):
    pictures = []
    for canvas in (PillowCanvas, None):
        visualizer = kind()
        visualizer.dataset_meta = META
        if canvas:
            canvas.put_into(visualizer)
        visualizer.set_image(IMAGE)  # another picture, of which nothing stays
        visualizer.draw_bboxes(np.array([20, 20, 300, 220]), line_widths=9)
        np.random.seed(0)  # colours of the masks
        draw(visualizer)
        pictures.append(visualizer.get_image())
    ours, theirs = pictures
    assert ours.shape == theirs.shape == IMAGE.shape
    drawn = cv2.absdiff(theirs, IMAGE).max(2) > 40
    assert drawn.mean() > .03
    # edges are a pixel aside, and letters are smoothed in another way
    ours, theirs, image = (
        cv2.blur(each, (9, 9))[drawn].astype(int)
        for each in (*pictures, IMAGE))
    assert abs(ours - theirs).mean() < .25 * abs(ours - image).mean()
