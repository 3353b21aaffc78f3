# The question of the probe on a detector: Mask R-CNN on stages 1 and 2 of the
# plain network, from the weights of r50_probe.py.
_base_ = '../beacons/maskrcnn_r50_beacons.py'
model = dict(
    backbone=dict(
        stem_channels=16,
        base_channels=16,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(0, 1),
        init_cfg=dict(
            checkpoint='work_dirs/evidence/probe/r50_probe/seed_0/iter_600.pth'
        )),
    neck=dict(in_channels=[64, 128]))

image_scale = (192, 192)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=image_scale),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor'))
]
data_root = 'data/probe/beacon/'
train_dataloader = dict(
    batch_size=8,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=data_root + 'annotations/instances_validation.json',
    distances=(0, 60, 90, 120, 150, 240))
test_evaluator = val_evaluator
