_base_ = './upernet_sb_r50_camvid.py'
model = dict(backbone=dict(sb_zero_init=True))
