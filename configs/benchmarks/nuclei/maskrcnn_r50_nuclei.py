# Mask R-CNN with a plain ResNet-50 of half width on the nuclei of the 2018 Data
# Science Bowl, as tools/dataset_converters/dsb2018.py writes them. From random
# weights, on crops, for two CPU cores. The other rows start from the same
# weights where names agree.
_base_ = '../../_base_/small_maskrcnn.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.comparison'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        type='SBResNet',
        sb_stages=(False, False, False, False),
        stem_channels=32,
        init_cfg=None),
    rpn_head=dict(anchor_generator=dict(scales=[4])),  # nuclei are small
    roi_head=dict(
        bbox_head=dict(num_classes=1), mask_head=dict(num_classes=1)),
    train_cfg=dict(rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=400), rcnn=dict(max_per_img=400)))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomCrop', crop_size=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale_factor=1., keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor'))
]
data_root = 'data/dsb2018/'
metainfo = dict(classes=('nucleus', ), palette=[(220, 20, 60)])
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='images/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline))
test_dataloader = dict(
    val_dataloader,
    dataset=dict(
        val_dataloader['dataset'],
        ann_file='annotations/instances_test.json'))
val_evaluator = dict(
    type='CocoMetric', ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = dict(
    type='CocoMetric', ann_file=data_root + 'annotations/instances_test.json')

max_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=1e-2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        T_max=max_iters - 50,
        eta_min_ratio=0.01)
]
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
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
