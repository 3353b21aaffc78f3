# UperNet with an SB-ResNet-50 on ADE20K, 512x512, 160k iterations. The backbone
# starts from the plain network's ImageNet weights, see SBResNetMixin.
_base_ = 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNetV1c', sb_stages=(True, True, True, False)))
