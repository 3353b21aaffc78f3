_base_ = './sb_r50_imagenet.py'
model = dict(backbone=dict(depth=101))
