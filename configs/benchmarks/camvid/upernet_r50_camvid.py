# UperNet with a plain ResNet-50 of a quarter of the width on CamVid, as
# tools/dataset_converters/camvid.py writes it. From random weights, on crops,
# for two CPU cores. The other rows start from the same weights where names
# agree.
_base_ = '../../_base_/small_upernet.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.comparison'], allow_failed_imports=False)

norm_cfg = dict(type='BN', requires_grad=True)
crop_size = (192, 256)
# The fourth root of the inverse frequency, with a mean of 1 over the labelled
# pixels of training: six of the classes have 9 % of them together. Without
# avg_non_ignore, which MMSegmentation's loss cannot do with class weights.
loss = dict(
    _delete_=True,
    type='CrossEntropyLoss',
    class_weight=[
        0.969, 0.894, 1.971, 0.828, 1.349, 1.111, 1.886, 1.905, 1.261,
        2.195, 2.671
    ])
model = dict(
    data_preprocessor=dict(size=crop_size),
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
        loss_decode=dict(loss_weight=0.4, **loss)),
    # views as those of the training, each pixel in up to four of them
    test_cfg=dict(mode='slide', crop_size=crop_size, stride=(84, 112)))

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
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        img_suffix='.png',
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        pipeline=test_pipeline))
test_dataloader = dict(
    val_dataloader,
    dataset=dict(
        val_dataloader['dataset'],
        data_prefix=dict(
            img_path='images/test', seg_map_path='labels/test')))

max_iters = 5500
train_cfg = dict(max_iters=max_iters, val_interval=1100)
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=1e-2))
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
