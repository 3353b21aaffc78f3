_base_ = './upernet_sb_r50_camvid.py'
model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='GlobalContext'),
            stages=(False, True, True, True),
            position='after_conv3')
    ]))
