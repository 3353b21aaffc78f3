_base_ = './upernet_r50_ade20k.py'
model = dict(
    backbone=dict(
        type='SBResNetV1c',
        sb_stages=(True, True, True, False),
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1 / 16),
                stages=(False, True, True, True),
                position='after_conv3')
        ]))
