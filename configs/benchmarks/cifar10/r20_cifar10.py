# The plain twin of the paper's smallest network for 32×32 images, on CIFAR-10
# as tools/dataset_converters/cifar10.py writes it. From random weights, for two
# CPU cores that compute in bfloat16. The other rows start from the same weights
# where names agree.
_base_ = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'
custom_imports = dict(
    imports=['sb_mm', 'sb_mm.comparison'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='SBResNet_CIFAR',
        depth=20,
        sb_stages=(False, False, False),
        zero_init_residual=False),
    head=dict(in_channels=256))

data_preprocessor = dict(
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    to_rgb=True)
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/cifar10',
        data_prefix='train',
        pipeline=[
            dict(type='LoadImageFromFile'),
            # a border of mirrored pixels: with padding=… RandomCrop draws a
            # black one, whatever its padding_mode (MMPreTrain 1.3)
            dict(
                type='RandomCrop',
                crop_size=36,
                pad_if_needed=True,
                padding_mode='reflect'),
            dict(type='RandomCrop', crop_size=32),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs')
        ]))
val_dataloader = dict(
    batch_size=250,
    num_workers=1,
    persistent_workers=True,
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/cifar10',
        data_prefix='test',
        pipeline=[dict(type='LoadImageFromFile'),
                  dict(type='PackInputs')]))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy'),
    dict(type='SingleLabelMetric', items=['recall'], average=None)
]
test_evaluator = val_evaluator

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(lr=0.1, weight_decay=5e-4, nesterov=True))
param_scheduler = dict(
    _delete_=True,
    type='OneCycleLR',
    eta_max=0.2,
    pct_start=0.2,
    anneal_strategy='linear',
    total_steps=max_epochs * 391,  # of 128 of the 50,000 images
    by_epoch=False)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(
        type='SameStartHook',
        twin=dict(
            backbone=dict(sb_stages=(False, False, False), plugins=None)))
]
