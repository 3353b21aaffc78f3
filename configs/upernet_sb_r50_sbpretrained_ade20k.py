# From the SB-ResNet-50 of sb_r50_imagenet.py, whose stem is not that of V1c.
_base_ = './upernet_sb_r50_ade20k.py'
model = dict(
    pretrained=None,
    backbone=dict(
        type='SBResNet',
        sb_pretrained=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/sb_r50_imagenet/epoch_300.pth',
            prefix='backbone.')))
