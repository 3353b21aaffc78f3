_base_ = './sb_r20_cifar10.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='NonLocal2d'),
            stages=(False, True, True),
            position='after_conv2')
    ]))
