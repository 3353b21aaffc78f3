_base_ = './maskrcnn_gc_r16_r50_nuclei.py'
model = dict(backbone=dict(sb_stages=(True, True, True, False)))
