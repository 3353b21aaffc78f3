_base_ = './upernet_gc_r16_r50_beacons.py'
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
