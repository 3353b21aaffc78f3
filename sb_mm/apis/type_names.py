"""Configs in pure Python, which name a ``type`` by its class."""
from importlib import import_module

from mmengine import registry as registries
from mmengine.config import Config
from mmengine.config.lazy import LazyAttr, LazyObject
from mmengine.registry import Registry

from ..compat import FOUNDATIONS, TOOLBOXES, installed_toolboxes

#: Packages that register what they have by themselves.
_KNOWN = (*FOUNDATIONS, *TOOLBOXES, 'torch', 'torchvision')


def name_types(cfg: Config) -> Config:
    """Give a config in pure Python, or what MMEngine dumps of it, the form of
    all others: names of the registries in the scope of the model, and
    ``custom_imports`` of what registers them.

    Args:
        cfg (Config): A config of either form.

    Returns:
        Config: The config with names; itself if there is nothing to name.
        What no registry has stays as it is.
    """
    given = cfg.to_dict()
    objects = {path: kind for path in dict.fromkeys(_types(given))
               if '.' in path and (kind := _import(path)) is not None}
    entries = list(_entries()) if objects else []
    found = {path: entry for path, kind in objects.items()
             if (entry := _find(path, kind, entries))}
    if not found:
        return cfg
    scopes = (found[path][0].scope for path in _types(given.get('model'))
              if path in found and found[path][0])
    scope = cfg.get('default_scope') or next(
        (each for each in scopes if each in installed_toolboxes()), None)
    names = {path: _name(scope, *entry) for path, entry in found.items()}
    cfg_dict = {
        key: _replace(value, names)
        for key, value in dict.items(cfg._cfg_dict) if key in given
    }
    imports = dict.fromkeys(imports_of(cfg))
    for registry, name in found.values():
        module = registry.module_dict[name].__module__ if registry else 'mmcv'
        if module.partition('.')[0] not in _KNOWN:
            imports[module] = None
    if imports:
        cfg_dict['custom_imports'] = dict(
            imports=list(imports), allow_failed_imports=False)
    return Config(dict(cfg_dict, default_scope=scope), filename=cfg.filename)


def imports_of(cfg):
    """list[str]: The modules of ``custom_imports``, of which a config may name
    one or several."""
    imports = cfg.get('custom_imports', {}).get('imports', [])
    return [imports] if isinstance(imports, str) else list(imports)


def dicts_in(value):
    """Yield a part of a config and those inside of it, as far as they are
    dicts."""
    if isinstance(value, dict):
        yield value
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for child in value:
        yield from dicts_in(child)


def _types(value):
    """Yield the names and paths of the types in a part of a config."""
    for each in dicts_in(value):
        if isinstance(each.get('type'), str):
            yield each['type']


def _import(path):
    """The object of a path such as ``mmdet.models.MaskRCNN``, or None."""
    module, _, name = path.rpartition('.')
    try:
        return getattr(import_module(module), name)
    except Exception:  # of any import; what builds it says it again
        return None


def _entries():
    """Yield registry, name and object of everything that is registered."""
    own = [import_module(f'{scope}.registry')
           for scope in installed_toolboxes()]  # has some without a parent
    for root in (each for module in (registries, *own)
                 for each in vars(module).values()
                 if isinstance(each, Registry)):
        for registry in (root, *root.children.values()):
            for name, kind in registry.module_dict.items():
                yield registry, name, kind


def _find(path, wanted, entries):
    """tuple[Registry or None, str] or None: Where an object is registered. The
    toolboxes look up ``nms`` and RoI layers in ``mmcv.ops`` instead."""
    for registry, name, kind in entries:
        if kind is wanted:
            return registry, name
    for registry, name, kind in entries:  # one has taken its place
        if (isinstance(wanted, type) and isinstance(kind, type)
                and issubclass(kind, wanted) and name == wanted.__name__):
            return registry, name
    return ((None, path.rpartition('.')[2])
            if path.startswith('mmcv.ops.') else None)


def _name(scope, registry, name):
    """str: The name alone where the scope has the same under it."""
    if registry is None:
        return name
    root = registry.root
    own = root.children.get(scope, root)
    own.import_from_location()
    module = own.module_dict.get(name) or root.module_dict.get(name)
    if module is registry.module_dict[name]:
        return name
    return f'{registry.scope}.{name}'


def _replace(value, names, key=None):
    """The same with names; what else was imported stays as lazy as it is."""
    if isinstance(value, dict):
        return {key: _replace(child, names, key)
                for key, child in dict.items(value)}
    if isinstance(value, (list, tuple)):
        return type(value)(_replace(child, names) for child in value)
    if key == 'type' and isinstance(value, (LazyAttr, LazyObject)):
        return names.get(f'{value.module}.{value}', value)
    return names.get(value, value) if key == 'type' else value
