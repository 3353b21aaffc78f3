_base_ = './maskrcnn_r50_nuclei.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='GlobalContext'),
            stages=(False, True, True, True),
            position='after_conv3')
    ]))
