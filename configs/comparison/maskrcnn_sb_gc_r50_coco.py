_base_ = './maskrcnn_gc_r16_r50_coco.py'
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
