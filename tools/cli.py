"""What the tools parse their arguments with."""
import argparse
import difflib


class ArgumentParser(argparse.ArgumentParser):
    """Parser that names the nearest flag for one that it does not know."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message):
        what, _, given = message.partition('unrecognized arguments: ')
        for flag in given.split() if not what else ():
            name = flag.partition('=')[0]
            near = difflib.get_close_matches(name, self._option_string_actions)
            if name.startswith('-') and near:
                message += f'; did you mean {near[0]}?'
        super().error(message)
