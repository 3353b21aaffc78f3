_base_ = './upernet_r50_camvid.py'
model = dict(backbone=dict(sb_stages=(True, True, True, False)))
