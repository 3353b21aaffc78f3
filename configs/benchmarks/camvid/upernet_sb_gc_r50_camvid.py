_base_ = './upernet_gc_r16_r50_camvid.py'
model = dict(backbone=dict(sb_stages=(True, True, True, False)))
