_base_ = './maskrcnn_r50_beacons.py'
model = dict(
    backbone=dict(
        type='SBResNet',
        sb_stages=(False, True),
        init_cfg=dict(
            checkpoint='work_dirs/evidence/probe/sb_r50_probe/seed_0/iter_600.pth'
        )))
