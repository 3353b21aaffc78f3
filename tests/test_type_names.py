"""Configs in pure Python, whose types are classes."""
import re

import mmcv.ops
import pytest
from conftest import CLS_CONFIG, DEMO, ROOT, SEG_CONFIG
from mmengine.config import Config
from mmengine.registry import MODELS

from sb_mm.analysis.work_dirs import Experiment, Run
from sb_mm.apis.checks import read_config
from sb_mm.apis.signatures import _get
from sb_mm.apis.type_names import imports_of


def in_pure_python(config, path):
    """Write a config in pure Python that is the same as another: its types
    are imported, and it has no scope."""
    cfg = Config.fromfile(config)
    scope, imports = cfg.pop('default_scope'), {}
    cfg.pop('custom_imports')

    def class_for(found):
        kind = _get(found[1], MODELS, scope) or getattr(
            mmcv.ops, found[1], None)
        if kind is None:  # what no registry has
            return found[0]
        imports[found[1]] = (f'from {kind.__module__} import '
                             f'{kind.__name__} as T_{found[1]}')
        return f'type=T_{found[1]}'

    text = re.sub(r"type='(\w+)'", class_for, cfg.pretty_text)
    path.write_text('\n'.join([*imports.values(), 'default_scope = None',
                               text]))
    assert len(imports) > 15
    return str(path)


@pytest.mark.parametrize('config', [DEMO, SEG_CONFIG, CLS_CONFIG])
def test_the_same_config(config, tmp_path):
    """By classes, by their paths as MMEngine dumps them, and by names."""
    wanted = read_config(config)
    path = in_pure_python(config, tmp_path / 'pure.py')
    dump = tmp_path / 'dump.py'
    Config.fromfile(path).dump(dump)
    assert "type='mmengine." in dump.read_text()
    for each in (path, dump):
        cfg = read_config(each)
        different = Experiment(cfg).differences(Experiment(wanted))
        assert not different
        modules = cfg.custom_imports.imports
        assert all(any(module.startswith(name) for module in modules)
                   for name in wanted.custom_imports.imports), modules


def test_config_with_names_is_left_alone():
    cfg = read_config(DEMO)
    assert cfg.to_dict() == Config.fromfile(DEMO).to_dict()
    assert not [name for name in re.findall(r"type='([^']*)'", cfg.pretty_text)
                if name.count('.') > 1]


@pytest.mark.parametrize('imports', ['sb_mm', ['sb_mm'], ('sb_mm', )])
def test_imports_of_one_module(imports):
    cfg = Config(dict(custom_imports=dict(imports=imports)))
    assert imports_of(cfg) == ['sb_mm']
    assert imports_of(Config()) == []


def test_tools_take_it_as_documented(run_tool, tiny, tmp_path):
    in_pure_python(ROOT / 'configs/beacons/maskrcnn_r50_beacons.py',
                   tmp_path / 'maskrcnn.py')
    text = (ROOT / 'docs/reference.md').read_text()
    example, = re.findall(r'```python\n(from mmengine.*?)```', text, re.S)
    (tmp_path / 'mine.py').write_text(example)
    result = run_tool('train.py', 'mine.py', '--work-dir', 'run',
                      '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    run = Run(tmp_path / 'run')
    assert run.cfg.model.backbone.type == 'SBResNet'
    assert 'sb_mm.models.mmdet_resnet' in run.cfg.custom_imports.imports
    checkpoint = f'run/{run.last_checkpoint}.pth'
    result = run_tool('test.py', 'mine.py', checkpoint, '--work-dir', 'run',
                      '--out', 'predictions.json', '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert Run(tmp_path / 'run').tested
    assert (tmp_path / 'predictions.bbox.json').is_file()
    result = run_tool('check_data.py', 'mine.py', '--cfg-options', *tiny)
    assert not result.returncode, result.stdout
    assert (tmp_path / 'work_dirs/check_data/mine/contact_sheet.jpg').is_file()
