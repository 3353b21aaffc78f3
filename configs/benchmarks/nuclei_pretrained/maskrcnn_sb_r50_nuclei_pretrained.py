_base_ = './maskrcnn_r50_nuclei_pretrained.py'
model = dict(backbone=dict(sb_stages=(True, True, True, False)))
