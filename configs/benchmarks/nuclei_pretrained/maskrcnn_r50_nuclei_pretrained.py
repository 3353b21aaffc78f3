# The same from trained weights, with their statistics, as detectors are mostly
# trained: those of a ResNet-50 of half width that docs/checkpoints.md makes a
# file of. Schedule and settings are those of the random weights.
_base_ = '../nuclei/maskrcnn_r50_nuclei.py'
model = dict(
    data_preprocessor=dict(
        mean=[104, 117, 123], std=[1, 1, 1], bgr_to_rgb=False),
    backbone=dict(
        stem_channels=64,
        style='caffe',
        norm_eval=True,
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            checkpoint='data/open_nsfw_r50.pth')))
