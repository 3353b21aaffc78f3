_base_ = './upernet_nl_r50_ade20k.py'
model = dict(
    backbone=dict(type='SBResNetV1c', sb_stages=(True, True, True, False)))
