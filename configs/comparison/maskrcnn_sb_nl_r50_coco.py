_base_ = './maskrcnn_nl_r50_coco.py'
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
