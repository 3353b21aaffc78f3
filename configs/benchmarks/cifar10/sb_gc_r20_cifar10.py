_base_ = './sb_r20_cifar10.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='GlobalContext'),
            stages=(True, True, True),
            position='after_conv3')
    ]))
