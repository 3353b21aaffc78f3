"""What all tools have in common: their arguments, and how they end."""
import argparse
import difflib
import gc
import json
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from pkgutil import resolve_name

CONFIGS = Path(__file__).absolute().parents[1] / 'configs'


class ArgumentParser(argparse.ArgumentParser):
    """Parser that names the nearest flag for one that it does not know.

    Args:
        json (bool): Whether the tool prints rows and has ``--json``. Defaults
            to False.
        **kwargs: Those of :class:`argparse.ArgumentParser`.
    """

    def __init__(self, json=False, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        self.add_argument(
            '--debug',
            action='store_true',
            help='end an error with its whole traceback')
        if json:
            self.add_argument(
                '--json',
                action='store_true',
                help='print the rows as JSON, for programs')

    def add_trust(self):
        self.add_argument(
            '--trust',
            action='store_true',
            help='read a checkpoint with more than weights in it, which can '
            'run code')

    def add_cfg_options(self, example='', as_text=False):
        self.add_argument(
            '--cfg-options',
            nargs='+',
            action=_Settings,
            as_text=as_text,
            default=[] if as_text else None,
            metavar='KEY=VALUE',
            help='override settings of the config' +
            (f', e.g. {example}; lists as key="[a,b]", without spaces'
             if example else ''))

    def add_launcher(self):
        self.add_argument(
            '--launcher',
            choices=['none', 'pytorch', 'slurm', 'mpi'],
            default='none',
            help='launcher of a distributed run (default: none)')
        # torchrun sets the environment variable instead
        self.add_argument('--local_rank', '--local-rank', type=int, default=0)

    def error(self, message):
        what, _, given = message.partition('unrecognized arguments: ')
        for flag in given.split() if not what else ():
            name = flag.partition('=')[0]
            near = difflib.get_close_matches(name, self._option_string_actions)
            if name.startswith('-') and near:
                message += f'; did you mean {near[0]}?'
        super().error(message)


class _Settings(argparse.Action):
    """mmengine's ``DictAction``, imported when it is needed, for it takes
    seconds, with a message for what it cannot read.

    Args:
        as_text (bool): Whether to leave the settings as they are given, to be
            handed on.
    """

    def __init__(self, *args, as_text, **kwargs):
        super().__init__(*args, **kwargs)
        self.as_text = as_text

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            from mmengine.config import DictAction
        except ImportError as error:
            sys.exit(_end(error))
        given = getattr(namespace, self.dest)
        parsed = argparse.Namespace(read=None if self.as_text else given)
        read = DictAction(self.option_strings, 'read')
        for value in values:
            try:
                if re.search(r'[=[(,]dict\(', value):
                    raise ValueError  # which it takes for text
                read(parser, parsed, [value])
            except (ValueError, AssertionError, RecursionError):
                parser.error(
                    f'argument {option_string}: {value!r} cannot be read; '
                    'KEY=VALUE, a list as key="[a,b]" without spaces, a dict '
                    'by its keys, key.a=1 key.b=2')
        setattr(namespace, self.dest,
                [*given, *values] if self.as_text else parsed.read)


def call(function, args):
    """Call a function with the arguments of a tool.

    The function is imported here, because the toolboxes take seconds and
    ``--help`` should not. An error ends in one line and exit code 2, Ctrl-C
    in one line too.

    Args:
        function (str): Its name, such as 'sb_mm.apis:run_train'.
        args (argparse.Namespace): The arguments.

    Returns:
        object: What the function returns.
    """
    kwargs = {key: _path(value) for key, value in vars(args).items()}
    debug = kwargs.pop('debug')
    # what the toolboxes print would not be JSON
    out = sys.stderr if kwargs.pop('json', False) else sys.stdout
    try:
        with redirect_stdout(out):
            return _import(function)(**kwargs)
    except KeyboardInterrupt as error:
        if not debug:
            print(str(error) or 'interrupted', file=sys.stderr)
            sys.excepthook = lambda *_: None
        raise  # ends by the signal, which a loop of the shell ends by too
    except Exception as error:
        if debug:
            raise
        sys.exit(_end(error))


def _import(function):
    """The function of a name. What the toolboxes define stays to the end, so
    the garbage collector is told not to look for garbage there, which is a
    quarter of what a tool needs to start and to end."""
    gc.disable()
    try:
        return resolve_name(function)
    finally:
        gc.freeze()
        gc.enable()


def _path(value):
    """The file of a config of ours, which ``sb_mm::NAME.py`` names from
    anywhere."""
    if isinstance(value, (list, tuple)):
        return [_path(each) for each in value]
    if isinstance(value, str) and value.startswith('sb_mm::'):
        return str(CONFIGS / value.removeprefix('sb_mm::'))
    return value


def _end(error):
    try:
        from sb_mm.apis.errors import describe
    except ImportError:  # says itself what is missing
        describe = str
    hint = ''
    if getattr(error, 'name', '') in ('mmengine', 'sb_mm', 'torch'):
        hint = ('; is the environment active? (. .venv/bin/activate, after '
                'make setup)')
    print(f'error: {describe(error)}{hint}', file=sys.stderr)
    return 2


def report(rows, args):
    """Print the rows of a table, and end with exit code 1 if one of them says
    that something failed.

    Args:
        rows (list[dict]): The rows; ``status`` is 'ok' or 'finished', or says
            what is wrong. One with an ``answer`` stands below the table.
        args (argparse.Namespace): The arguments, of which ``json`` is used.
    """
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        from sb_mm.utils.table import print_table
        print_table([row for row in rows if 'answer' not in row])
        for row in rows:
            if 'answer' in row:
                print(row['config'], row['answer'])
    statuses = [row.get('status', 'ok') for row in rows]
    sys.exit(any(status not in ('ok', 'finished') for status in statuses))
