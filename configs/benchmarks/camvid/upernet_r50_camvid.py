# UperNet with a plain ResNet-50 of a quarter of the width on CamVid, as
# tools/dataset_converters/camvid.py writes it. From random weights, on crops,
# for two CPU cores. The other rows start from the same weights where names
# agree.
_base_ = [
    'mmseg::_base_/models/upernet_r50.py',
    'mmseg::_base_/default_runtime.py',
    'mmseg::_base_/schedules/schedule_20k.py'
]
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.comparison'], allow_failed_imports=False)

norm_cfg = dict(type='BN', requires_grad=True)
crop_size = (192, 256)
# The square root of the inverse frequency, with a mean of 1 over the labelled
# pixels of training: six of the classes have 9 % of them together. Without
# avg_non_ignore, which MMSegmentation's loss cannot do with class weights.
loss = dict(
    _delete_=True,
    type='CrossEntropyLoss',
    class_weight=[
        0.877, 0.746, 3.63, 0.64, 1.699, 1.154, 3.323, 3.391, 1.486, 4.502,
        6.664
    ])
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(
        type='SBResNet',
        sb_stages=(False, False, False, False),
        stem_channels=16,
        base_channels=16,
        zero_init_residual=False,
        norm_cfg=norm_cfg),
    decode_head=dict(
        in_channels=[64, 128, 256, 512],
        channels=32,
        num_classes=11,
        norm_cfg=norm_cfg,
        loss_decode=loss),
    auxiliary_head=dict(
        in_channels=256,
        channels=32,
        num_classes=11,
        norm_cfg=norm_cfg,
        loss_decode=dict(loss_weight=0.4, **loss)))

metainfo = dict(
    classes=('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
             'fence', 'car', 'pedestrian', 'bicyclist'),
    palette=[(128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128),
             (0, 0, 192), (128, 128, 0), (192, 128, 128), (64, 64, 128),
             (64, 0, 128), (64, 64, 0), (0, 128, 192)])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize',
        scale=(480, 360),
        ratio_range=(0.5, 1.25),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')
]
data_root = 'data/camvid'
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        img_suffix='.png',
        data_prefix=dict(
            img_path='images/train', seg_map_path='labels/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        img_suffix='.png',
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        img_suffix='.png',
        data_prefix=dict(img_path='images/test', seg_map_path='labels/test'),
        pipeline=test_pipeline))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

max_iters = 4000
train_cfg = dict(max_iters=max_iters, val_interval=500)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(
        type='OneCycleLR', eta_max=2e-3, total_steps=max_iters, by_epoch=False)
]
default_hooks = dict(
    checkpoint=dict(interval=500, max_keep_ckpts=1), logger=dict(interval=20))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(
        type='SameStartHook',
        twin=dict(
            backbone=dict(
                type='SBResNet',
                sb_stages=(False, False, False, False),
                plugins=None)))
]
