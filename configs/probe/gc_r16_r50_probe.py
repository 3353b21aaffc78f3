_base_ = './r50_probe.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 16),
            stages=(False, True),
            position='after_conv3')
    ]))
