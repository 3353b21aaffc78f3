# SB-ResNet-50 on ImageNet-1K by the recipe of the paper, on 8 GPUs.
#
# From the base: 300 epochs, LAMB, weight decay 0.02, cosine schedule, BCE loss,
# RandAugment m7-mstd0.5-inc1, mixup 0.1, CutMix 1.0, 3 repeated augmentations,
# drop path 0.05, test crop ratio 0.95. What differs is below.
#
# MMPreTrain's BCE loss has no target threshold; the paper sets to 1 what mixup
# and CutMix leave above 0.2 of a label, and the rest to 0.
_base_ = 'mmpretrain::resnet/resnet50_8xb256-rsb-a2-300e_in1k.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))

train_dataloader = dict(batch_size=128)
auto_scale_lr = dict(base_batch_size=1024)
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(lr=3.5e-3))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4 / 3.5e-3,
        by_epoch=True,
        end=5,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=295,
        eta_min=1e-6,
        by_epoch=True,
        begin=5,
        end=300)
]
