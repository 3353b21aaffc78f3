# From the SB-ResNet-50 of sb_r50_imagenet.py: SB is frozen like the rest.
_base_ = './maskrcnn_sb_r50_coco.py'
model = dict(
    backbone=dict(
        sb_pretrained=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/sb_r50_imagenet/epoch_300.pth',
            prefix='backbone.')))
