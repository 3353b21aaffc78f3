"""The command ``sb-mm``: the tools, under one name, from anywhere."""
import ast
import difflib
import sys
import textwrap
from pathlib import Path
from runpy import run_path

#: The tools, which an installed package has too.
TOOLS = Path(__file__).parent / '.mim' / 'tools'
#: Tool of each command.
COMMANDS = {
    'train': 'train',
    'test': 'test',
    'predict': 'predict',
    'check-data': 'check_data',
    'context-gain': 'context_gain',
    'convert': 'convert_checkpoint',
    'publish': 'publish',
    'export': 'export',
    'run-matrix': 'run_matrix',
    'compare': 'compare',
    'breakdown': 'breakdown',
    'benchmark': 'benchmark',
    'flops': 'get_flops',
    'show-bias': 'show_bias',
    'make-beacons': 'make_beacons',
    'doctor': 'doctor',
}


def main():
    """Run the tool that the first argument names, with the others."""
    name, args = (sys.argv[1:2] or ['--help'])[0], sys.argv[2:]
    if name in ('-h', '--help'):
        lines = ['usage: sb-mm COMMAND [ARGUMENT…]\n\ncommands:']
        for command, tool in COMMANDS.items():
            text = ast.get_docstring(
                ast.parse((TOOLS / f'{tool}.py').read_text('utf-8')))
            text = textwrap.shorten(text, 64, placeholder=' …')
            lines.append(f'  {command:13} {text}')
        lines.append('\nsb-mm COMMAND --help says more.\n')
        print('\n'.join(lines), end='')  # at once, for ``sb-mm | head -5``
        return
    if name == '--version':
        print(run_path(str(Path(__file__).parent / 'version.py'))['__version__'])
        return
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS)
        sys.exit(f'error: sb-mm has no command {name}; ' +
                 (f'did you mean {near[0]}?' if near else
                  f'it has {", ".join(COMMANDS)}'))
    sys.argv = [f'sb-mm {name}', *args]
    sys.path.insert(0, str(TOOLS))  # as for a script
    tool = TOOLS / f'{COMMANDS[name]}.py'
    # not runpy, which would give it another name in messages
    exec(compile(tool.read_text('utf-8'), tool, 'exec'),
         dict(__name__='__main__', __file__=str(tool)))


if __name__ == '__main__':
    main()
