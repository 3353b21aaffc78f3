"""The versions that are supported, and which of them are installed.

setup.py and tools/bootstrap.py take them from here.
"""
from importlib import metadata, util
from pathlib import Path
from runpy import run_path

#: The configs, which an installed package has too.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))
# package: (name to install, first version that fits, first that does not)
FOUNDATIONS = {
    'mmengine': ('onedl-mmengine', '0.10.0', '1.0.0'),
    'mmcv': ('onedl-mmcv', '2.1.0', '2.4.0'),
}
TOOLBOXES = {
    'mmdet': ('onedl-mmdetection', '3.3.0', '4.0.0'),
    'mmseg': ('onedl-mmsegmentation', '1.2.0', '2.0.0'),
    'mmpretrain': ('onedl-mmpretrain', '1.2.0', '2.0.0'),
}


def installed_toolboxes():
    """list[str]: The toolboxes found in this environment."""
    return [name for name in TOOLBOXES if _find(name)]


def _find(package):
    """Path or None: Its folder. One without an ``__init__.py``, such as the
    checkout of the toolbox in the current folder, is no package."""
    spec = util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def check_stack():
    """Refuse an environment that sb_mm cannot work in.

    Raises:
        ImportError: If mmengine or mmcv is missing, if none of mmdet, mmseg
            and mmpretrain is installed, or if one of them has a version out
            of range. The message says what to install.
    """
    problems = [
        f'{name} is not installed' for name in FOUNDATIONS
        if not _find(name)
    ]
    if not installed_toolboxes():
        problems.append(f'none of {", ".join(TOOLBOXES)} is installed')
    if not problems:
        problems = _out_of_range()
    if problems:
        wanted = ', '.join(
            f'{name} >={low},<{high} ({package})'
            for name, (package, low, high) in {
                **FOUNDATIONS,
                **TOOLBOXES
            }.items())
        raise ImportError(
            f'sb_mm: {"; ".join(problems)}. It needs mmengine, mmcv and at '
            f'least one of mmdet, mmseg and mmpretrain: {wanted}. "make demo" '
            'in a checkout of sb_mm sets up such an environment.')


def _out_of_range():
    from mmengine.utils import digit_version
    problems = []
    for name, (_, low, high) in {**FOUNDATIONS, **TOOLBOXES}.items():
        folder = _find(name)
        if folder is None:
            continue
        # not by an import, which fails where other packages do not fit
        version = run_path(str(folder / 'version.py'))['__version__']
        if not digit_version(low) <= digit_version(version) < digit_version(
                high):
            problems.append(
                f'{name} {version} is installed, >={low},<{high} is needed')
    return problems


def has_transformers_5():
    """bool: Whether transformers 5 or newer is installed."""
    try:
        return int(metadata.version('transformers').partition('.')[0]) >= 5
    except metadata.PackageNotFoundError:
        return False


def inherit_by_scope():
    """Let configs inherit from ``sb_mm::…``, and from ``mmseg::…`` under
    ``onedl-mmsegmentation``.

    MMEngine knows the packages of OpenMMLab alone, wants a folder in the path
    and gives what it inherits the scope of the package, which ours are not. Of
    a toolbox it reads every metafile before it takes the file of that name. It
    looks for a distribution of the name ``mmsegmentation``; where there is
    none, send it to the package instead.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE
    get_cfg_path = Config._get_cfg_path

    def get_ours_too(cfg_path, filename):
        package, _, name = cfg_path.partition('::')
        if package == 'sb_mm':
            return str(CONFIGS / name), None
        folder = _find(package) if package in TOOLBOXES else None
        path = folder and folder / '.mim' / 'configs' / name
        if path and path.is_file():
            return str(path), package
        return get_cfg_path(cfg_path, filename)

    Config._get_cfg_path = staticmethod(get_ours_too)
    try:
        metadata.distribution(MODULE2PACKAGE['mmseg'])
    except metadata.PackageNotFoundError:
        MODULE2PACKAGE['mmseg'] = 'mmseg'
