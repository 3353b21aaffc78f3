# UperNet with SB on the generated Beacons, from sb_r50_beacons.py.
_base_ = './upernet_r50_beacons.py'
model = dict(
    backbone=dict(
        type='SBResNet',
        sb_stages=(True, True, True, False),
        init_cfg=dict(checkpoint='work_dirs/sb_r50_beacons/iter_50.pth')))
