_base_ = './upernet_r50_camvid.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='SpatialBiasPlugin'),
            stages=(False, True, True, False),
            position='after_conv2')
    ]))
