# The colour of the beacon as the label of the image, with SB.
_base_ = './r50_beacons.py'
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
