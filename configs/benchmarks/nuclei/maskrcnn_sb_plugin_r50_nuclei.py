_base_ = './maskrcnn_r50_nuclei.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='SpatialBiasPlugin'),
            stages=(False, True, True, False),
            position='after_conv2')
    ]))
