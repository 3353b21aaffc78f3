from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

here = Path(__file__).parent

# The toolboxes are extras: an environment that has them, under these names or
# as the OpenMMLab originals, keeps what it has.
foundations = ['onedl-mmengine>=0.10.12', 'onedl-mmcv>=2.3.6']
toolboxes = dict(
    mmdet=['onedl-mmdetection>=3.5.1'],
    mmseg=['onedl-mmsegmentation>=1.4.2'],
    mmpretrain=['onedl-mmpretrain>=1.3.6'])

setup(
    name='sb-mm',
    version=run_path(str(here / 'sb_mm' / 'version.py'))['__version__'],
    description='Spatial Bias for MMDetection, MMSegmentation and MMPreTrain',
    long_description=(here / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['sb_mm', 'sb_mm.*']),
    python_requires='>=3.10',
    extras_require={
        **{name: foundations + packages
           for name, packages in toolboxes.items()},
        'all': foundations + sum(toolboxes.values(), []),
        'test': ['pytest', 'pytest-xdist'],
    },
)
