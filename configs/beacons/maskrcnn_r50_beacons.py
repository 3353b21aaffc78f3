# Mask R-CNN with a plain ResNet-50 of half width on the generated Beacons, for
# two CPU cores, from the weights of r50_beacons.py.
_base_ = '../_base_/small_maskrcnn.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/r50_beacons/iter_50.pth',
            prefix='backbone.')),
    roi_head=dict(
        bbox_head=dict(num_classes=6),
        mask_roi_extractor=dict(roi_layer=dict(output_size=7)),
        mask_head=dict(num_classes=6)),
    train_cfg=dict(rcnn=dict(sampler=dict(num=32), mask_size=14)),
    test_cfg=dict(
        rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)))

image_scale = (128, 128)
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
data_root = 'data/beacons/'
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type='BeaconsDataset',
        data_root=data_root,
        ann_file='annotations/instances_training.json',
        data_prefix=dict(img='images/training/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='BeaconsDataset',
        data_root=data_root,
        ann_file='annotations/instances_validation.json',
        data_prefix=dict(img='images/validation/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='BeaconsMetric',
    ann_file=data_root + 'annotations/instances_validation.json',
    distances=(0, 60, 100, 140, 180, 240))
test_evaluator = val_evaluator

max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=20),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=20,
        T_max=max_iters - 20,
        eta_min_ratio=0.01)
]
default_hooks = dict(
    checkpoint=dict(interval=50), visualization=dict(score_thr=0.5))
randomness = dict(seed=0)
