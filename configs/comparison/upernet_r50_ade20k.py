# The plain network of the comparison; every other file differs from it in the
# backbone alone, see README.md in this folder.
_base_ = 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py'
custom_imports = dict(imports=['sb_mm'], allow_failed_imports=False)
