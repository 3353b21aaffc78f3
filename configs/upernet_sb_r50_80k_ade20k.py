_base_ = 'mmseg::upernet/upernet_r50_4xb4-80k_ade20k-512x512.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(type='SBResNetV1c', sb_stages=(True, True, True, False)))
