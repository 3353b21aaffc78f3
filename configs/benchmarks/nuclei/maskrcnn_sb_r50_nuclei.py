_base_ = './maskrcnn_r50_nuclei.py'
model = dict(backbone=dict(sb_stages=(True, True, True, False)))
