# Mask R-CNN with an SB-ResNet-50 on MS-COCO, 1x. The backbone starts from the
# plain network's ImageNet weights, see SBResNetMixin.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNet', sb_stages=(True, True, True, False)))
