# What do the features of an early stage know of the rest of the image? Stage 2
# of a plain ResNet-50 of quarter width, and a linear layer on it that tells the
# class of every pixel of the objects of Beacons. From random weights, for two
# CPU cores.
_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    'mmseg::_base_/default_runtime.py',
    'mmseg::_base_/schedules/schedule_20k.py'
]
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons'], allow_failed_imports=False)

image_scale = (192, 192)
model = dict(
    data_preprocessor=dict(size=image_scale),
    pretrained=None,
    backbone=dict(
        type='ResNet',
        stem_channels=16,
        base_channels=16,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1, ),
        contract_dilation=False),
    decode_head=dict(
        in_channels=128,
        in_index=0,
        channels=128,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=6,
        loss_decode=dict(avg_non_ignore=True)),
    auxiliary_head=None)

# PROBE_CUE=none and PROBE_CUE=local are the controls
data_root = 'data/probe/{{$PROBE_CUE:beacon}}/'
# without 'background', whose pixels are ignored
metainfo = dict(
    classes=('disc_orange', 'square_orange', 'triangle_orange', 'disc_blue',
             'square_blue', 'triangle_blue'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackSegInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BeaconsDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'),
        metainfo=metainfo,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BeaconsDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='annotations/validation'),
        metainfo=metainfo,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='BeaconsMetric',
    ann_file=data_root + 'annotations/instances_validation.json',
    # what the plain network sees, in pixels either way; a test computes it
    reach=56)
test_evaluator = val_evaluator

max_iters = 600
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(
        type='OneCycleLR', eta_max=2e-3, total_steps=max_iters, by_epoch=False)
]
default_hooks = dict(
    checkpoint=dict(interval=max_iters), logger=dict(interval=20))
randomness = dict(seed=0)
