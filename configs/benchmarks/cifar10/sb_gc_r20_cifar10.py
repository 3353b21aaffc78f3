_base_ = './gc_r16_r20_cifar10.py'
model = dict(backbone=dict(sb_stages=(True, True, True)))
