_base_ = './sb_r20_cifar10.py'
model = dict(backbone=dict(sb_zero_init=True))
