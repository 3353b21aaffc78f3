# The weights that all rows of UperNet start from: random ones.
_base_ = './upernet_r50_ade20k.py'
load_from = None
train_cfg = dict(max_iters=1, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=0))
default_hooks = dict(checkpoint=dict(interval=1))
