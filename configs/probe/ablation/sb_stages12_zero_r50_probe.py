_base_ = './sb_stages12_r50_probe.py'
model = dict(backbone=dict(sb_zero_init=True))
