_base_ = './upernet_r50_ade20k.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 16),
            stages=(False, True, True, True),
            position='after_conv3')
    ]))
