_base_ = './r20_cifar10.py'
model = dict(backbone=dict(depth=29))
