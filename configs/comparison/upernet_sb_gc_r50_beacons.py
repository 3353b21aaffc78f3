_base_ = './upernet_r50_beacons.py'
model = dict(
    backbone=dict(
        type='SBResNet',
        sb_stages=(True, True, True, False),
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1 / 16),
                stages=(False, True, True, True),
                position='after_conv3')
        ]))
