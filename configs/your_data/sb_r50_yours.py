# A classifier of your classes, on a folder of images for each class.
_base_ = '../sb_r50_100e_imagenet.py'
classes = ('cat', 'dog')
data = dict(_delete_=True, type='CustomDataset', data_root='data/yours', metainfo=dict(classes=classes))
train_dataloader = dict(dataset=dict(data_prefix='train', pipeline=_base_.train_pipeline, **data))
val_dataloader = dict(dataset=dict(data_prefix='val', pipeline=_base_.test_pipeline, **data))
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1, ))
test_evaluator = val_evaluator
model = dict(head=dict(num_classes=len(classes)))
data_preprocessor = dict(num_classes=len(classes))
