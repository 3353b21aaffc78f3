# UperNet with a plain ResNet-50 of half width on the generated Beacons, for two
# CPU cores, from the weights of r50_beacons.py.
_base_ = '../_base_/small_upernet.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.beacons'], allow_failed_imports=False)

image_scale = (128, 128)
# most pixels are background
class_weight = [0.1, 1, 1, 1, 1, 1, 1]
model = dict(
    data_preprocessor=dict(size=image_scale),
    backbone=dict(
        type='ResNet',
        stem_channels=32,
        base_channels=32,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/r50_beacons/iter_50.pth',
            prefix='backbone.')),
    decode_head=dict(
        in_channels=[128, 256, 512, 1024],
        channels=64,
        num_classes=7,
        loss_decode=dict(class_weight=class_weight)),
    auxiliary_head=dict(
        in_channels=512,
        channels=64,
        num_classes=7,
        loss_decode=dict(class_weight=class_weight)))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=image_scale),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=image_scale)],
            [
                dict(type='RandomFlip', prob=0., direction='horizontal'),
                dict(type='RandomFlip', prob=1., direction='horizontal')
            ], [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]
        ])
]
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type='BeaconsDataset',
        data_root='data/beacons',
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='BeaconsDataset',
        data_root='data/beacons',
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='annotations/validation'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader

max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=4e-3, weight_decay=1e-4))
param_scheduler = [
    dict(
        type='OneCycleLR', eta_max=4e-3, total_steps=max_iters, by_epoch=False)
]
default_hooks = dict(
    checkpoint=dict(interval=50), logger=dict(interval=10))
randomness = dict(seed=0)
