# Mask R-CNN with a plain ResNet-50 of half width and small heads, trained by
# iterations on two CPU cores.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/default_runtime.py'
]
# half of the few RoIs are positive
model = dict(
    backbone=dict(base_channels=32, frozen_stages=-1, norm_eval=False),
    neck=dict(
        in_channels=[128, 256, 512, 1024],
        out_channels=64,
        norm_cfg=dict(type='BN')),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=64, roi_layer=dict(sampling_ratio=1)),
        bbox_head=dict(in_channels=64, fc_out_channels=256),
        mask_roi_extractor=dict(
            out_channels=64, roi_layer=dict(sampling_ratio=1)),
        mask_head=dict(in_channels=64, conv_out_channels=64, num_convs=2)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(pos_fraction=0.5))))

train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler'))
val_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW'),
    clip_grad=dict(max_norm=5))
default_hooks = dict(
    checkpoint=dict(by_epoch=False), logger=dict(interval=10))
visualizer = dict(line_width=1, alpha=0.5)
log_processor = dict(by_epoch=False)
