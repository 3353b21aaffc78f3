_base_ = './nl_r50_probe.py'
model = dict(backbone=dict(type='SBResNet', sb_stages=(False, True)))
