# The plain network on the few photographs of a test set, small and for two CPU
# cores. It shows how networks are optimised, not how good they become. Every
# other row differs from it in the backbone alone, as in ../comparison.
_base_ = '../comparison/upernet_r50_ade20k.py'
load_from = 'work_dirs/upernet_start_ade20k/iter_1.pth'

crop_size = (192, 192)
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(stem_channels=32, base_channels=32),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=64),
    auxiliary_head=dict(in_channels=512, channels=64))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='PackSegInputs')
]
train_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

max_iters = 40
train_cfg = dict(max_iters=max_iters, val_interval=20)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=16)
]
default_hooks = dict(
    checkpoint=dict(interval=max_iters), logger=dict(interval=8))
