_base_ = './upernet_r50_beacons.py'
model = dict(
    backbone=dict(
        type='SBResNet',
        sb_stages=(True, True, True, False),
        plugins=[
            dict(
                cfg=dict(type='NonLocal2d'),
                stages=(False, True, True, False),
                position='after_conv2')
        ]))
