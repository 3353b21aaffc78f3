_base_ = './r29_cifar10.py'
model = dict(backbone=dict(sb_stages=(True, True, True)))
