# The colour of the beacon as the label of the image, on the generated Beacons:
# a plain ResNet-50 of half width for two CPU cores.
_base_ = 'mmpretrain::_base_/default_runtime.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons'], allow_failed_imports=False)

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        num_classes=2),
    backbone=dict(
        type='ResNet', depth=50, stem_channels=32, base_channels=32),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=1024, topk=1))

image_size = 128
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        type='BeaconsDataset',
        data_root='data/beacons',
        ann_file='meta/training.txt',
        data_prefix='images/training',
        pipeline=pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BeaconsDataset',
        data_root='data/beacons',
        ann_file='meta/validation.txt',
        data_prefix='images/validation',
        test_mode=True,
        pipeline=[pipeline[0], pipeline[1], pipeline[3]]))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator

max_iters = 50
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=5))
param_scheduler = dict(
    type='OneCycleLR', eta_max=5e-3, total_steps=max_iters, by_epoch=False)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=25), logger=dict(interval=10))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
