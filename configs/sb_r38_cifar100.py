# The paper's SB-ResNet-38 on CIFAR-100, by MMPreTrain's own schedule.
_base_ = 'mmpretrain::resnet/resnet50_8xb16_cifar100.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='SBResNet_CIFAR',
        depth=38,
        sb_stages=(True, True, True)),
    head=dict(in_channels=256))
val_evaluator = dict(topk=(1, 5))
test_evaluator = val_evaluator
