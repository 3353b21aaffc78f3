# The plain network of the comparison; every other file differs from it in the
# backbone alone, see README.md in this folder.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
