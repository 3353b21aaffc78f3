from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

here = Path(__file__).parent
compat = run_path(str(here / 'sb_mm' / 'compat.py'))


def requirements(packages):
    return [
        f'{name}>={low},<{high}' for name, low, high in packages.values()
    ]


# The toolboxes are extras: an environment that has them, under these names or
# as the OpenMMLab originals, keeps what it has.
foundations = requirements(compat['FOUNDATIONS'])
toolboxes = compat['TOOLBOXES']

setup(
    name='sb-mm',
    version=run_path(str(here / 'sb_mm' / 'version.py'))['__version__'],
    description='Spatial Bias for MMDetection, MMSegmentation and MMPreTrain',
    long_description=(here / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['sb_mm', 'sb_mm.*']),
    # .mim has the configs and tools, where mim and MMEngine look for them
    package_data={'sb_mm': ['py.typed', '.mim/*', '.mim/**/*']},
    exclude_package_data={'': ['*.pyc']},
    scripts=['tools/sb-mm'],
    python_requires='>={}.{}'.format(*compat['PYTHONS'][0]),
    extras_require={
        **{
            name: foundations + requirements({name: package})
            for name, package in toolboxes.items()
        },
        'all': foundations + requirements(toolboxes),
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'web': ['gradio'],
        'test': [
            'pytest', 'pytest-xdist', 'hypothesis', 'nbclient', 'ipykernel',
            'safetensors'
        ],
    },
)
