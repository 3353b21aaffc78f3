# A detector of your classes, on annotations in COCO's format.
_base_ = '../maskrcnn_sb_r50_coco.py'
data_root = 'data/yours/'
metainfo = dict(classes=('cat', 'dog'))
data = dict(data_root=data_root, metainfo=metainfo, data_prefix=dict(img='images/'))
train_dataloader = dict(dataset=dict(ann_file='train.json', **data))
val_dataloader = dict(dataset=dict(ann_file='val.json', **data))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator
heads = dict(num_classes=len(metainfo['classes']))
model = dict(roi_head=dict(bbox_head=heads, mask_head=heads))
