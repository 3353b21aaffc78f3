_base_ = './sb_stage1_r50_probe.py'
model = dict(backbone=dict(sb_zero_init=True))
