# A trained plain network goes on, and its twins here start from its weights.
_base_ = '../r50_probe.py'
load_from = 'work_dirs/evidence/probe/r50_probe/seed_0/iter_600.pth'
