_base_ = '../nl_r50_probe.py'
load_from = 'work_dirs/evidence/probe/r50_probe/seed_0/iter_600.pth'
