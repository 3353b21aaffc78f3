import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from tool_process import run_in_process

from sb_mm.allocator import reuse_memory
from sb_mm.beacons.scenes import make_beacons

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / 'configs/beacons/maskrcnn_sb_r50_beacons.py'
SEG_CONFIG = ROOT / 'configs/beacons/upernet_sb_r50_beacons.py'
CLS_CONFIG = ROOT / 'configs/beacons/sb_r50_beacons.py'


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: minutes; make test-slow')
    config.addinivalue_line('markers', 'long: half a minute; run first')


def pytest_collection_modifyitems(items):
    """What takes long goes first, or a process waits for another at the end."""
    items.sort(key=lambda item: not item.get_closest_marker('long'))


def pytest_collection_finish():
    gc.freeze()  # no garbage in what was imported


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """The tests run side by side."""
    torch.set_num_threads(1)
    reuse_memory()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_default_scope():
    """A name without a scope means the same whatever ran before."""
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def beacons(tmp_path_factory):
    """A folder with a few small scenes."""
    root = tmp_path_factory.mktemp('data') / 'beacons'
    make_beacons(root, num_train=8, num_val=4, size=64)
    return root


def shrink(beacons, *options):
    """Options that shrink a demo to a few seconds on one core."""
    options = [
        'model.backbone.stem_channels=8', 'model.backbone.base_channels=8',
        'model.backbone.depth=18',
        'train_cfg.max_iters=4', 'train_cfg.val_interval=4',
        'default_hooks.checkpoint.interval=2', 'param_scheduler=None',
        'default_hooks.logger.interval=1', 'train_dataloader.batch_size=2',
        *options
    ]
    for phase in ('train', 'val', 'test'):
        options += [
            f'{phase}_dataloader.{option}'
            for option in (f'dataset.data_root={beacons}', 'num_workers=0',
                           'persistent_workers=False')
        ]
    return options


@pytest.fixture(scope='session')
def tiny(beacons):
    return shrink(
        beacons, 'model.backbone.init_cfg=None',
        'model.neck.in_channels=[8,16,32,64]',
        'model.test_cfg.rcnn.score_thr=0.0', *(
            f'{phase}_evaluator.ann_file='
            f'{beacons}/annotations/instances_validation.json'
            for phase in ('val', 'test')))


def train(config, work_dir, options):
    result = run_in_process(
        ROOT / 'tools/train.py',
        [str(config), '--work-dir', str(work_dir), '--cfg-options', *options],
        work_dir if work_dir.is_dir() else work_dir.parent)
    assert not result.returncode, result.stdout
    return work_dir


@pytest.fixture(scope='session')
def trained(tiny, tmp_path_factory):
    """A work dir after four iterations."""
    return train(DEMO, tmp_path_factory.mktemp('trained'), tiny)


@pytest.fixture(scope='session')
def tiny_seg(beacons):
    return shrink(beacons, 'model.backbone.init_cfg=None',
                  'model.decode_head.in_channels=[8,16,32,64]',
                  'model.auxiliary_head.in_channels=32')


@pytest.fixture(scope='session')
def tiny_cls(beacons):
    return shrink(beacons, 'model.head.in_channels=64')


@pytest.fixture(scope='session')
def trained_seg(tiny_seg, tmp_path_factory):
    return train(SEG_CONFIG, tmp_path_factory.mktemp('seg'), tiny_seg)


@pytest.fixture(scope='session')
def trained_cls(tiny_cls, tmp_path_factory):
    return train(CLS_CONFIG, tmp_path_factory.mktemp('cls'), tiny_cls)


@pytest.fixture
def log(caplog):
    """What the logger of MMEngine says."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def run_tool(tmp_path):
    """Run a tool as a user does, from a directory that is not the checkout."""

    def run(tool, *args, new=False, pythonpath=ROOT, **kwargs):
        path, args = ROOT / 'tools' / tool, list(map(str, args))
        if tool.endswith('.py') and not new:
            return run_in_process(path, args, tmp_path, str(pythonpath))
        return subprocess.run(
            [*([sys.executable] if tool.endswith('.py') else []), path, *args],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            **kwargs)

    return run


def tool_env(**variables):
    """The environment of an activated .venv."""
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    return {**os.environ, 'PATH': path, **variables}


def free_port():
    """A port for torchrun that nothing listens on."""
    with socket.socket() as each:
        each.bind(('127.0.0.1', 0))
        return str(each.getsockname()[1])


class Bomb:
    """An object whose pickle calls something when it is read."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def randomize(net):
    """Give the norms of a network statistics and weights of their own, as
    training does."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, .5, 1.5)
            torch.nn.init.normal_(module.bias, 0, .1)
            module.running_mean.normal_(0, .1)
            module.running_var.uniform_(.5, 1.5)
    return net


def assert_plain_outputs(plain, net, off):
    """A plain network's weights give its outputs in its SB twin ``net``, and
    to the last bit in the twin ``off`` that has SB in no stage."""
    net.load_state_dict(plain.state_dict())
    assert list(off.state_dict()) == list(plain.state_dict())
    off.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 65, 97)
    plain.eval(), net.eval(), off.eval()
    with torch.no_grad():
        for out, same, want in zip(net(x), off(x), plain(x)):
            assert torch.equal(same, want)
            torch.testing.assert_close(
                out, want, rtol=0, atol=1e-5 * want.abs().max().item())
