_base_ = './maskrcnn_r50_beacons.py'
model = dict(
    backbone=dict(
        init_cfg=dict(
            checkpoint='work_dirs/evidence/probe/gc_r16_r50_probe/seed_0/iter_600.pth'
        ),
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1 / 16),
                stages=(False, True),
                position='after_conv3')
        ]))
