# SB-ResNet-50 on ImageNet-1K by the plain schedule: 100 epochs of SGD.
_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
