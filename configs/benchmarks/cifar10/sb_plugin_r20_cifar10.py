_base_ = './r20_cifar10.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='SpatialBiasPlugin', pool_size=6),
            stages=(True, True, True),
            position='after_conv2')
    ]))
