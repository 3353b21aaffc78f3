_base_ = './sb_r38_cifar100.py'
model = dict(backbone=dict(depth=65))
