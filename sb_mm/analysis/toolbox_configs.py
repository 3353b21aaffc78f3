"""Every config of the toolboxes with the backbone's type swapped."""
from collections import Counter
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from rich.progress import track
from torch import nn

from ..apis.type_names import dicts_in
from ..compat import installed_toolboxes
from ..utils.table import write_table


def check_toolbox_configs(toolboxes: Optional[Sequence[str]] = None,
                          out: Optional[str] = None) -> List[dict]:
    """Build the SB twin of every plain backbone that the configs of the
    toolboxes name, give it the plain one's weights and compare the outputs.

    Args:
        toolboxes (Sequence[str], optional): Which of mmdet, mmseg and
            mmpretrain. Defaults to None, those that are installed.
        out (str, optional): Folder to write ``table.md`` and ``table.csv`` to.
            Defaults to None.

    Returns:
        list[dict]: A row for each toolbox and outcome: how many configs and
        different backbones, and one config as an example. The outcome is
        'equal', 'different', 'refused: …', 'the plain one fails: …' or
        'cannot be read: …'.
    """
    rows = []
    for toolbox in toolboxes or installed_toolboxes():
        root = Path(str(import_module(toolbox).__file__)).parent / '.mim/configs'
        results, configs, examples = {}, Counter(), {}
        for path in track(sorted(root.rglob('*.py')), description=toolbox):
            if '_base_' in path.parts:
                continue
            for backbone in _backbones(path, toolbox):
                key = repr(backbone)
                if key not in results:
                    results[key] = (
                        backbone if isinstance(backbone, str) else
                        _compare(backbone))
                configs[results[key]] += 1
                examples.setdefault(results[key], path.relative_to(root))
        for outcome, count in configs.most_common():
            rows.append({
                'toolbox': toolbox,
                'outcome': outcome,
                'configs': count,
                'backbones': list(results.values()).count(outcome),
                'for example': str(examples[outcome]),
                'status': 'failed' if outcome == 'different' else 'ok'
            })
    if out:
        write_table(rows, out)
    return rows


def _backbones(path, toolbox):
    """Yield the settings of each plain backbone in a config that has a twin
    with SB, or why the config cannot be read."""
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # of something that is not installed
        yield f'cannot be read: {_line(error)}'
        return
    model = cfg.get('model')
    for cfg in dicts_in(model):
        scope, _, name = str(cfg.get('type')).rpartition('.')
        name = f'{scope or toolbox}.{name}'
        if MODELS.get(name) and MODELS.get(_twin(name)):
            yield dict(cfg, type=name, init_cfg=None)


def _twin(name):
    scope, _, name = name.rpartition('.')
    return f'{scope}.SB{name}'


def _compare(backbone):
    x = torch.randn(2, backbone.get('in_channels', 3), 65, 97)
    try:
        plain = _shake(MODELS.build(deepcopy(backbone)))
        plain.eval()
        expected = plain(x)
    except Exception as error:
        return f'the plain one fails: {_line(error)}'
    try:
        net = MODELS.build(
            dict(deepcopy(backbone), type=_twin(backbone['type'])))
        net.load_state_dict(plain.state_dict())
    except Exception as error:
        return f'refused: {_line(error)}'
    net.eval()
    outs = net(x)
    close = all(
        (out - want).abs().max() <= 1e-5 * want.abs().max()
        for out, want in zip(outs, expected, strict=True))
    return 'equal' if close else 'different'


@torch.no_grad()
def _shake(net):
    """Give the norms weights and statistics of their own."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for value in (module.weight, module.running_var):
                value.uniform_(.5, 1.5)
            for value in (module.bias, module.running_mean):
                value.normal_(0, .1)
    return net


def _line(error):
    return f'{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}'
