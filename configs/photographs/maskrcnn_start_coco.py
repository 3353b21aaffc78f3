# The weights that all rows of Mask R-CNN start from: random ones.
_base_ = './maskrcnn_r50_coco.py'
load_from = None
train_cfg = dict(max_epochs=1)
optim_wrapper = dict(optimizer=dict(lr=0))
default_hooks = dict(checkpoint=dict(interval=1))
