_base_ = './r20_cifar10.py'
model = dict(backbone=dict(sb_stages=(True, True, False)))
