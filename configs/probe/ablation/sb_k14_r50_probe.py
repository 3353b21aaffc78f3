_base_ = '../sb_r50_probe.py'
model = dict(backbone=dict(sb_cfg=dict(pool_size=14)))
