_base_ = './upernet_r50_camvid.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='SqueezeExcitation'),
            stages=(True, True, True, True),
            position='after_conv3')
    ]))
