# A segmentor of your classes, on maps of labels 0, 1, … as PNG, 255 for none.
_base_ = './_base_/upernet_maps_of_labels.py'
data_root = 'data/yours/'
metainfo = dict(classes=('background', 'cat', 'dog'))
data = dict(data_root=data_root, metainfo=metainfo)
train_dataloader = dict(dataset=dict(data_prefix=dict(
    img_path='images/train', seg_map_path='labels/train'), **data))
val_dataloader = dict(dataset=dict(data_prefix=dict(
    img_path='images/val', seg_map_path='labels/val'), **data))
test_dataloader = val_dataloader
heads = dict(num_classes=len(metainfo['classes']))
model = dict(decode_head=heads, auxiliary_head=heads)
