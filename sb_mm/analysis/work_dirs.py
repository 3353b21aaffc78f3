"""What the standard runner leaves in a work dir."""
import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Optional

from mmengine.config import Config

from ..apis.checks import evaluators_of, read_config
from ..apis.config import OUT_KEYS, out_suffix
from ..apis.errors import describe
from .complexity import count_complexity

#: Metrics of the evaluators, and their names in the field.
METRICS = {
    'coco/bbox_mAP': 'box AP',
    'coco/segm_mAP': 'mask AP',
    'mIoU': 'mIoU',
    'accuracy/top1': 'top-1',
    'shape_acc/seen': 'shape, seen',
    'shape_acc/unseen': 'shape, unseen',
    'colour_acc/seen': 'colour, seen',
    'colour_acc/unseen': 'colour, unseen',
    'colour_chance/unseen': 'chance of colour, unseen'
}
#: Those that are in percent.
PERCENT = {*METRICS.values()} - {'box AP', 'mask AP'}
#: Where a number and its axis are in percent.
UNITS = {name: ' (%)' for name in PERCENT}
#: What the runner logs beside the metrics of an evaluation.
_NO_METRICS = {'data_time', 'time', 'step', 'epoch', 'iter', 'memory'}
#: Where two runs of one experiment may differ.
_PER_RUN = ('work_dir', 'resume', 'load_from', 'launcher', 'randomness',
            'custom_imports')
#: What is implied: the channels that a part of the model takes from another.
_IMPLIED = re.compile(
    r'model\.(?!(detector\.)?backbone\.)(.+\.)?in_channels(\.\d+)?')
#: Where networks that are compared do differ: in the backbone of the model or
#: of the detector inside of it.
BACKBONE = ('model.backbone.', 'model.detector.backbone.')
#: What MMEngine's EarlyStoppingHook logs, but for a metric that is not finite.
_STOPPED = re.compile(
    'did not improve in the last .* records|Stopping threshold reached')


class Experiment:
    """What a config says of an experiment.

    Args:
        cfg (Config): The config.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.started_from = cfg.get('load_from')

    @property
    def experiment(self):
        """dict: The config without what ``tools/test.py`` adds to it before
        the runner writes it to the work dir anew: its hook, and where
        predictions go."""
        cfg = self.cfg.to_dict()
        cfg['custom_hooks'] = [
            hook for hook in cfg.get('custom_hooks') or ()
            if hook['type'] != 'LoadedWeightsHook'
        ]
        evaluators = [
            {key: value for key, value in each.items()
             if key not in OUT_KEYS.values()}
            for each in evaluators_of(cfg, 'test') if 'out_file_path' not in each
        ]
        cfg['test_evaluator'] = (
            evaluators[0] if len(evaluators) == 1 else evaluators)
        return cfg

    def settings(self):
        """dict: All settings that make the experiment, flat, but for the
        ``in_channels`` that follow from a backbone."""
        settings = {
            key: value
            for key, value in _flatten(self.experiment).items()
            if not (key.split('.')[0] in _PER_RUN or _IMPLIED.fullmatch(key))
        }
        if self.started_from:
            settings['load_from'] = self.started_from
        return settings

    @property
    def digests(self):
        """tuple[str, str]: What tells the settings of the backbone, and all
        others, from those of another run."""
        parts = [[], []]
        for item in sorted(self.settings().items()):
            parts[not item[0].startswith(BACKBONE)].append(item)
        return tuple(sha256(repr(part).encode()).hexdigest()[:8]
                     for part in parts)

    def differences(self, other):
        """list[str]: The settings that are not those of another
        experiment."""
        ours, theirs = self.settings(), other.settings()
        return sorted(key for key in ours.keys() | theirs.keys()
                      if ours.get(key) != theirs.get(key))


@dataclass
class Run(Experiment):
    """One run, read from its work dir.

    Args:
        path (Path): The work dir.

    Raises:
        FileNotFoundError: If it is no work dir of a training run.
    """
    path: Path
    cfg: Config = field(init=False)
    #: Folder of the log that the training began with, before it was resumed.
    began: str = field(init=False)
    #: Weights that it began with.
    started_from: Optional[str] = field(init=False, default=None)
    losses: dict = field(init=False, default_factory=dict)
    seconds: dict = field(init=False, default_factory=dict)
    metrics: dict = field(init=False, default_factory=dict)
    #: Of the last weights by tools/test.py, into this work dir.
    final: dict = field(init=False, default_factory=dict)
    _complexity: dict = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self):
        self.path = Path(self.path)
        configs = sorted(path for path in self.path.glob('*')
                         if path.suffix in ('.py', '.yml', '.yaml'))
        logs = sorted(self.path.glob('*/vis_data/scalars.json'))
        if not configs or not logs:
            raise FileNotFoundError(
                f'{self.path} is no work dir of a training run: it has no '
                + ('config' if not configs else
                   '*/vis_data/scalars.json of a LocalVisBackend'))
        self.name = configs[-1].stem
        self.cfg = read_config(configs[-1])
        if 'module' in self.cfg.model:  # of tools/test.py --tta
            self.cfg.model = self.cfg.model.module
        by_epoch = 'max_epochs' in self.cfg.train_cfg
        self.unit = 'epoch' if by_epoch else 'iteration'
        self.planned = self.cfg.train_cfg[
            'max_epochs' if by_epoch else 'max_iters']
        step = 0
        self.began = logs[0].parts[-3]
        for log in logs:  # those of resumed runs follow
            began = Config.fromfile(log.with_name('config.py'))
            if not began.get('resume'):  # anew, whatever was there before
                self.began = log.parts[-3]
                self.started_from = began.get('load_from')
                for each in (self.losses, self.seconds, self.metrics):
                    each.clear()
            for line in log.read_text().splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:  # cut off by a crash
                    continue
                if 'loss' in record:
                    step = record['step']
                    self.losses[step] = record['loss']
                    self.seconds[step] = record.get('time', 0)
                elif 'lr' not in record and record.keys() - _NO_METRICS:
                    self.metrics[step] = _named(record)
        if self.reached < self.planned and any(
                _STOPPED.search(log.read_text())
                for log in self._since_then('*.log')):
            self.planned = self.reached
        for results in self._since_then('*.json'):
            # tools/test.py with this work dir evaluated the weights again
            tested = Config.fromfile(results.parent / 'vis_data/config.py')
            if Path(tested.load_from or '').stem == self.last_checkpoint:
                self.final = _named(json.loads(results.read_text()))

    def _since_then(self, pattern):
        """list[Path]: What this training and those who read its weights have
        written, in the folders that they name by the time."""
        return [path for path in sorted(self.path.glob(f'*/{pattern}'))
                if path.parent.name >= self.began]

    @property
    def tested(self):
        """bool: Whether tools/test.py tested the last weights."""
        return bool(self.final)

    @property
    def last(self):
        """dict: Metrics of the test, without one of the last validation."""
        if self.final or not self.metrics:
            return self.final
        return self.metrics[max(self.metrics)]

    @property
    def last_checkpoint(self):
        """str: Name of the last checkpoint, without its folder."""
        return self.weights.stem if self.weights else ''

    @property
    def weights(self):
        """Path or None: The last checkpoint, in the work dir, which may have
        been moved, or in the ``out_dir`` of the config's CheckpointHook."""
        pointer = self.path / 'last_checkpoint'
        if not pointer.is_file():
            return None
        written = Path(pointer.read_text())
        return written if checkpoints_elsewhere(
            self.cfg) else self.path / written.name

    @property
    def predictions(self):
        """Path: Where ``run_matrix --test`` keeps the predictions, in the
        format of the task if the evaluator writes it."""
        return self.path / f'predictions{out_suffix(self.cfg)}'

    @property
    def has_predictions(self):
        """bool: Whether they are there."""
        return any(self.path.glob('predictions*'))

    @property
    def reached(self):
        """int: The epoch or iteration of the last checkpoint."""
        kind, _, number = self.last_checkpoint.rpartition('_')
        if kind == 'epoch' and self.unit == 'iteration':
            return self.planned  # such a loop has one epoch
        if kind == 'iter' and self.unit == 'epoch':
            return int(number) // self._iterations_of_an_epoch()
        return int(number or 0)

    def _iterations_of_an_epoch(self):
        found = (re.search(r'Epoch\(train\) +\[\d+\]\[ *\d+/(\d+)\]',
                           log.read_text())
                 for log in self._since_then('*.log'))
        return next((int(each[1]) for each in found if each), 1)

    @property
    def minutes(self):
        """float: Time of the training, without evaluations and pauses."""
        if not self.seconds:
            return 0.
        return median(self.seconds.values()) * max(self.seconds) / 60

    @property
    def status(self):
        """str: 'finished', or how far it came and what is missing."""
        if self.reached < self.planned:
            return f'unfinished: {self.unit} {self.reached} of {self.planned}'
        return 'finished' if self.last else 'not evaluated'

    @property
    def seed(self):
        """int or None: The seed that the runner logged."""
        for log in self._since_then('*.log'):
            found = re.search(r'^\s+seed: (\d+)', log.read_text(), re.M)
            if found:
                return int(found[1])
        return None

    @property
    def metric_names(self):
        """list[str]: The metrics of the last evaluation that have a name in
        the field; all of them where none has."""
        return [name for name in METRICS.values() if name in self.last
                ] or [name for name, value in self.last.items()
                      if isinstance(value, (int, float))]

    def count_complexity(self, shape=None):
        """tuple[int, int, tuple[int, int]] or None: Parameters, multiply-adds
        and the size (H, W) that they are counted at, ``shape`` or the
        config's. None, and a line that says why, where they cannot be counted,
        as those of operators that a GPU alone has."""
        if shape not in self._complexity:
            try:
                counted = count_complexity(Config(self.cfg.to_dict()), shape)
            except Exception as error:
                print(f'the complexity of {self.name} is not counted: '
                      f'{describe(error)}')
                counted = None
            self._complexity[shape] = counted
        return self._complexity[shape]


def checkpoints_elsewhere(cfg):
    """bool: Whether a config has its checkpoints outside the work dir."""
    hooks = cfg.get('default_hooks') or {}
    return bool((hooks.get('checkpoint') or {}).get('out_dir'))


def _named(record):
    return {
        METRICS.get(key, key): value
        for key, value in record.items() if key not in _NO_METRICS
    }


def _flatten(value, prefix=''):
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return {prefix[:-1]: value}
    flat = {}
    for key, child in items:
        if key != '_scope_':
            flat.update(_flatten(child, f'{prefix}{key}.'))
    return flat
