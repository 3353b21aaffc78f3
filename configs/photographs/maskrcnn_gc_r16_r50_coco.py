_base_ = './maskrcnn_r50_coco.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 16),
            stages=(False, True, True, True),
            position='after_conv3')
    ]))
