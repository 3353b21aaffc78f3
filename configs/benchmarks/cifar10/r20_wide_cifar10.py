# The plain network with as many parameters as that with SB has.
_base_ = './r20_cifar10.py'
model = dict(
    backbone=dict(stem_channels=17, base_channels=17),
    head=dict(in_channels=272))
