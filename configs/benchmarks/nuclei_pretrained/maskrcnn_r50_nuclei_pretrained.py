# The nuclei from trained weights and with their statistics, as most detectors
# are trained: those of a ResNet-50 of half width that docs/checkpoints.md makes
# a file of. They learn at a tenth of the rate, what is new, in the backbone too,
# at the whole.
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
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            backbone=dict(lr_mult=0.1), spatial_bias=dict(lr_mult=1))))
