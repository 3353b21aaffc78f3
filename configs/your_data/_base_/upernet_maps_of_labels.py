# UperNet on maps of labels whose 0 is a class, where ADE20K's is none.
_base_ = '../../upernet_sb_r50_ade20k.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1] = dict(type='LoadAnnotations')
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='LoadAnnotations')
train_dataloader = dict(
    dataset=dict(_delete_=True, type='BaseSegDataset', pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(_delete_=True, type='BaseSegDataset', pipeline=test_pipeline))
test_dataloader = val_dataloader
