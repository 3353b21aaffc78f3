"""From the flags of the tools to a config that is ready to run."""
import os
import re
import zipfile
from argparse import Namespace
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.config import config as config_of_mmengine

from .check_data import check_severe
from .checks import (InputError, check_checkpoint, check_data, check_weights,
                     datasets_of, evaluators_of, read_config)
from .labelled_data import reads_annotations
from .signatures import accepted, check_settings
from .type_names import dicts_in


def prepare_train(args: Namespace) -> Config:
    """Read the config of a training run and apply the flags to it.

    Args:
        args (argparse.Namespace): Flags of ``tools/train.py``.

    Returns:
        Config: Config for :meth:`mmengine.runner.Runner.from_cfg`.

    Raises:
        InputError: If a file or folder that the run needs is missing, or a
            flag does not fit the config.
    """
    cfg = _load(args)
    if args.amp:
        _use_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise InputError('--auto-scale-lr needs '
                             'auto_scale_lr=dict(base_batch_size=…) in '
                             f'{args.config}')
        cfg.auto_scale_lr.enable = True
    if args.resume:
        _use_resume(cfg, args.resume)
    if cfg.get('load_from'):
        check_checkpoint(cfg.load_from)
    check_run(cfg, 'train', 'val')
    return cfg


def check_run(cfg: Config, *phases: str) -> None:
    """Refuse settings, data and pretrained weights that a run cannot use,
    before anything is built.

    Args:
        cfg (Config): Config of the run.
        *phases (str): Among 'train', 'val' and 'test'.

    Raises:
        InputError: If there are such.
    """
    check_settings(cfg, *phases)
    check_data(cfg, *phases)
    check_severe(cfg, *phases)
    if 'train' in phases:
        check_weights(cfg.model)


def prepare_test(args: Namespace) -> Config:
    """Read the config of a test run and apply the flags to it.

    Args:
        args (argparse.Namespace): Flags of ``tools/test.py``.

    Returns:
        Config: Config for :meth:`mmengine.runner.Runner.from_cfg`.

    Raises:
        InputError: If a file or folder that the run needs is missing, or a
            flag does not fit the config.
    """
    cfg = _load(args)
    check_settings(cfg, 'test')
    check_checkpoint(args.checkpoint)
    cfg.load_from = args.checkpoint
    cfg.custom_hooks = [
        *cfg.get('custom_hooks', []),
        dict(type='LoadedWeightsHook', allow_missing=args.allow_missing)
    ]
    if args.show_dir:
        _use_show_dir(cfg, args.show_dir)
    if args.tta:
        if args.show_dir and cfg.get('default_scope') == 'mmpretrain':
            raise InputError("--show-dir does not go with --tta: MMPreTrain's "
                             'visualization hook draws single views only')
        _use_tta(cfg)
    if args.out:
        _use_out(cfg, args.out, args.score_maps)
    check_data(cfg, 'test')
    check_severe(cfg, 'test')
    return cfg


def _load(args):
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    # CLI, then the config, then the name of the config
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(
        Path('work_dirs') / Path(args.config).stem)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return cfg


def format_once() -> None:
    """Have MMEngine format a config once. It wants the text for the log, for
    two files, for its message hub and for each checkpoint, and yapf takes up
    to a second."""
    from yapf.yapflib import yapf_api  # of no use to other tools
    format_code = yapf_api.FormatCode
    known: dict = {}

    def format_unless_known(text, **style):
        key = text, repr(style)
        if key not in known:
            known[key] = format_code(text, **style)
        return known[key]

    if format_code.__module__ == yapf_api.__name__:
        yapf_api.FormatCode = format_unless_known
        # OpenMMLab's own MMEngine has it since its import
        config_of_mmengine.FormatCode = format_unless_known


def _use_resume(cfg, checkpoint):
    if checkpoint == 'auto':
        checkpoint = newest_sound_checkpoint(Path(cfg.work_dir))
        if not checkpoint:
            return  # nothing to go on from: begin as the config says
    cfg.resume = True
    cfg.load_from = checkpoint


def newest_sound_checkpoint(work_dir):
    """str or None: The checkpoint of a run that was written last and is
    complete; a killed run or a full disk leaves others."""
    note = work_dir / 'last_checkpoint'
    noted = Path(note.read_text().strip() if note.is_file() else '')
    numbered = {
        int(found[1]): path
        for path in work_dir.glob('*.pth')
        if (found := re.fullmatch(r'(?:iter|epoch)_(\d+)', path.stem))
    }
    for path in (noted, *(numbered[n] for n in sorted(numbered)[::-1])):
        # the directory of a zip file stands at its end
        if path.is_file() and zipfile.is_zipfile(path):
            if path != noted:
                print(f'going on from {path}: last_checkpoint names '
                      f'{noted if noted.name else "nothing"}, which is not a '
                      'complete checkpoint')
            return str(path)


def _use_amp(cfg):
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise InputError('--amp needs optim_wrapper.type=OptimWrapper, but '
                         f'the config has {wrapper}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _use_show_dir(cfg, show_dir):
    show_dir = str(Path(show_dir).absolute())
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise InputError('--show-dir needs a visualization hook in '
                         'default_hooks of the config')
    scope = cfg.get('default_scope')
    if scope == 'mmpretrain':
        from ..visualization import mmpretrain_hook  # noqa: F401
        hook.update(
            type='LoadedColoursVisualizationHook',
            enable=True,
            interval=1,
            out_dir=show_dir)
    elif scope == 'mmseg':
        hook.update(draw=True, interval=1)
        cfg.visualizer.save_dir = show_dir
    else:
        hook.update(draw=True, test_out_dir=show_dir)


#: What ``--out`` can be in each scope, beside a pickle.
_OUT = dict(
    mmdet="FILE.json for COCO's format",
    mmseg='a folder for maps of labels as PNG',
    mmpretrain='FILE.csv or FILE.json')
#: Arguments by which the toolboxes' evaluators write predictions as well.
OUT_KEYS = dict(mmdet='outfile_prefix', mmseg='output_dir')


def out_suffix(cfg):
    """Find what the predictions of a test can be written as.

    Args:
        cfg (Config): Config of a model.

    Returns:
        str: Suffix of a file for ``--out``: that of the toolbox's format, none
        for a folder, or that of a pickle where no evaluator writes the former.
    """
    scope = cfg.get('default_scope')
    if scope == 'mmpretrain':
        return '.csv'
    if scope not in OUT_KEYS or not _writers(cfg, OUT_KEYS[scope]):
        return '.pkl'
    return '.json' if scope == 'mmdet' else ''


def _writers(cfg, key):
    """list[dict]: The evaluators of the test that take an argument."""
    return [
        evaluator for evaluator in evaluators_of(cfg, 'test')
        if key in (accepted(evaluator['type'], 'METRICS',
                            cfg.get('default_scope')) or [key])
    ]


def _use_out(cfg, out, score_maps):
    from . import dump  # noqa: F401
    scope, suffix = cfg.get('default_scope'), Path(out).suffix
    evaluators = evaluators_of(cfg, 'test')
    key = None
    if suffix in ('.pkl', '.pickle'):
        metric = dict(
            mmdet='mmdet.DumpDetResults',
            mmseg='DumpResults' if score_maps else 'DumpLabelMaps')
        added = dict(type=metric.get(scope, 'DumpResults'), out_file_path=out)
    elif scope == 'mmdet' and suffix == '.json':
        key, value = OUT_KEYS[scope], out.removesuffix('.json')
    elif scope == 'mmseg' and not suffix:
        key, value = OUT_KEYS[scope], out
    elif scope == 'mmpretrain' and suffix in ('.csv', '.json'):
        added = dict(type='ClassificationTable', out_file_path=out)
    else:
        raise InputError(f'--out must be {_OUT.get(scope, "")} or FILE.pkl for '
                         f'everything, but got {out}')
    if key:  # the toolbox's own metric writes it
        writers = _writers(cfg, key)
        if not writers:
            raise InputError(f'--out {out} needs a test_evaluator that takes '
                             f'{key}, such as CocoMetric or IoUMetric; '
                             'FILE.pkl needs none')
        writers[0][key] = value
    else:
        evaluators = [*evaluators, added]
    cfg.test_evaluator = evaluators
    Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)


#: For configs without ``tta_model``; MMSegmentation's all have one.
_TTA_MODELS = dict(
    mmdet=dict(
        type='InstanceSegTTAModel',
        tta_cfg=dict(
            nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)),
    mmpretrain=dict(type='AverageClsScoreTTA'))


def _use_tta(cfg):
    """Wrap the model by the config's own ``tta_model`` and ``tta_pipeline``
    or, as the toolboxes do, average over the image and its mirror image."""
    if 'tta_model' not in cfg:
        scope = cfg.get('default_scope')
        if scope not in _TTA_MODELS:
            raise InputError('--tta needs a tta_model in the config')
        cfg.tta_model = _TTA_MODELS[scope]
    datasets = [dataset for _, dataset in datasets_of(
        cfg.test_dataloader.dataset, 'test_dataloader.dataset')]
    if 'tta_pipeline' not in cfg:
        *transforms, pack = deepcopy(datasets[0].pipeline)
        if 'meta_keys' in pack:
            pack.meta_keys = (*pack.meta_keys, 'flip', 'flip_direction')
        flips = [dict(type='RandomFlip', prob=prob) for prob in (1., 0.)]
        cfg.tta_pipeline = [
            *transforms,
            dict(type='TestTimeAug', transforms=[flips, [pack]])
        ]
    if not reads_annotations(datasets[0].pipeline):  # there may be none
        for step in dicts_in(cfg.tta_pipeline):
            if 'transforms' in step:
                step['transforms'] = [
                    each for each in step['transforms']
                    if not reads_annotations(each)]
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    for dataset in datasets:
        dataset.pipeline = cfg.tta_pipeline
