#!/usr/bin/env python3
"""Swap the backbone of every config of the toolboxes and compare outputs."""
import sys

from cli import ArgumentParser


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'toolboxes',
        nargs='*',
        help='mmdet, mmseg, mmpretrain (default: those that are installed)')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    # after the arguments: the toolboxes take seconds to import
    from sb_mm.analysis import check_toolbox_configs
    rows = check_toolbox_configs(**vars(args))
    sys.exit(any(row['outcome'] == 'different' for row in rows))
