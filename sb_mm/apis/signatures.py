"""The settings of a config against the classes that they are for."""
import inspect
import re
from difflib import get_close_matches
from importlib import import_module

from mmengine import registry as registries
from mmengine.registry import Registry

from .checks import InputError

#: What some function reads, which adds settings and takes others away.
_NOT_FOR_THE_CLASS = ('norm_cfg', 'act_cfg', 'conv_cfg', 'init_cfg',
                      'upsample_cfg', 'dcn')
#: What has a ``type`` that is in no registry.
_NOT_REGISTERED = re.compile(
    'nms|roi_layer|targets|clip_grad|adapt_cfg|dqs_cfg|.*_trans')
#: Names of transforms that have some of another library, with scope or not.
_OF_ALBUMENTATIONS = ('Albu', 'Albumentation', 'Albumentations')
#: Settings that go to somebody else than the class they stand beside.
_FOR_OTHERS = {
    'type', '_scope_', 'pretrained', 'priority', 'convert_to_iter_based',
    'constructor', 'paramwise_cfg', 'bg_cls_weight', 'magnitude_key'
}


def check_settings(cfg, *phases):
    """Refuse what would fail, or be passed over, once it is built: a ``type``
    that is not there, an argument that its class does not take.

    Args:
        cfg (Config): Config of a run.
        *phases (str): Which of 'train', 'val' and 'test' are run.

    Raises:
        InputError: If there is one. The message names it, and the nearest
            names.
    """
    scope = cfg.get('default_scope')
    parts = {'model': (cfg.get('model'), 'MODELS')}
    for phase in phases:
        loader = cfg.get(f'{phase}_dataloader') or {}
        parts[f'{phase}_dataloader.dataset'] = loader.get('dataset'), 'DATASETS'
        parts[f'{phase}_evaluator'] = cfg.get(f'{phase}_evaluator'), 'METRICS'
    for name, registry in dict(
            custom_hooks='HOOKS',
            default_hooks='HOOKS',
            optim_wrapper='OPTIM_WRAPPERS',
            param_scheduler='PARAM_SCHEDULERS',
            visualizer='VISUALIZERS').items():
        parts[name] = cfg.get(name), registry
    for name, (part, registry) in parts.items():
        _check(part, name, getattr(registries, registry), scope)


def _check(value, name, registry, scope):
    if isinstance(value, (list, tuple)):
        for i, child in enumerate(value):
            _check(child, f'{name}.{i}', registry, scope)
    elif isinstance(value, dict):
        scope = value.get('_scope_', scope)
        if 'type' in value:
            _check_type(value, name, registry, scope)
        if str(value.get('type')).endswith(_OF_ALBUMENTATIONS):
            return
        for key, child in value.items():
            if not _NOT_REGISTERED.fullmatch(str(key)):
                pipeline = str(key).endswith('pipeline')
                if pipeline:
                    _check_steps(child, f'{name}.{key}')
                _check(child, f'{name}.{key}',
                       registries.TRANSFORMS if pipeline else registry, scope)


def _check_steps(pipeline, name):
    """Refuse a word where a transform should be, as {{_base_.NAME}} within a
    list leaves it."""
    for i, step in enumerate(pipeline if isinstance(pipeline, list) else ()):
        if isinstance(step, str):
            raise InputError(f'{name}.{i} is {step!r}, but a transform is a '
                             "dict such as dict(type='LoadImageFromFile')")


def _check_type(cfg, name, registry, scope):
    kind = cfg['type']
    if isinstance(kind, str):
        kind = _get(kind, registry, scope)
        if kind is None:
            raise InputError(f'{name}.type: ' +
                             _unknown(cfg['type'], registry, scope))
    if name.split('.')[-1] in _NOT_FOR_THE_CLASS:
        return
    allowed = _accepted(kind)
    for key in cfg:
        if allowed is None or key in allowed or key in _FOR_OTHERS:
            continue
        near = get_close_matches(key, allowed)
        if name.startswith('model.') and not near:
            continue  # a part may take it away before it builds this one
        raise InputError(
            f'{name}.{key}: {kind.__name__} has no such argument' +
            (f'; did you mean {near[0]}?' if near else
             f'; it has {", ".join(sorted(allowed))}'))


def _get(kind, registry, scope):
    """The class of a name, from the registry or else from any other: a model
    has parts of several."""
    with registry.switch_scope_and_registry(scope) as own:
        candidates = [own]
    modules = [registries]
    try:  # of one of the toolboxes or of another project, such as MMRotate
        modules.insert(0, import_module(f'{scope}.registry'))
    except ImportError:
        pass
    for module in modules:
        candidates += sorted(
            (value for value in vars(module).values()
             if isinstance(value, Registry)),
            key=lambda each: each.scope != scope)  # has parents beside it
    for candidate in candidates:
        try:
            found = candidate.get(kind)
        except ImportError:  # of a scope that is not installed
            continue
        if found is not None:
            return found


def _unknown(kind, registry, scope):
    with registry.switch_scope_and_registry(scope) as own:
        own.import_from_location()
        names, parent = set(own.module_dict), own.parent
        while parent is not None:
            names |= set(parent.module_dict)
            parent = parent.parent
    elsewhere = [
        f'{other}.{kind}' for other in ('mmdet', 'mmseg', 'mmpretrain')
        if other != scope and _get(f'{other}.{kind}', registry, scope)
    ]
    near = elsewhere or get_close_matches(kind, names, n=3)
    return (f'there is no {kind} in the scope {scope}' +
            (f'; did you mean {" or ".join(near)}?' if near else ''))


def accepted(kind, registry, scope):
    """Find the arguments of a class.

    Args:
        kind (type or str): Class, or its name.
        registry (str): Name of mmengine's registry that has it.
        scope (str): Scope to look in.

    Returns:
        set[str] or None: The arguments. None for all, where the class hands
        them on to what cannot be seen.
    """
    if isinstance(kind, str):
        kind = _get(kind, getattr(registries, registry), scope)
    return _accepted(kind)


def _accepted(kind):
    if not inspect.isclass(kind):
        parts = [kind]
    else:
        parts = [
            base.__init__ for base in kind.__mro__ if '__init__' in vars(base)
        ]
    allowed = set()
    for part in parts:
        try:
            parameters = inspect.signature(part).parameters.values()
            allowed |= {p.name for p in parameters if p.kind not in (
                p.VAR_POSITIONAL, p.VAR_KEYWORD)} - {'self'}
            rest = [p.name for p in parameters if p.kind == p.VAR_KEYWORD]
            if not rest:
                return allowed
            source = inspect.getsource(part)
        except (OSError, TypeError, ValueError):
            return None
        if not re.search(rf'super\(\)\.__init__\(.*\*\*{rest[0]}', source,
                         re.S):
            return None
    return None
