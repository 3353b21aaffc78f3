_base_ = './r50_probe.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='SpatialBiasPlugin'),
            stages=(False, True),
            position='after_conv2')
    ]))
