#!/usr/bin/env python3
"""Swap the backbone of every config of the toolboxes and compare outputs."""
import argparse
import sys

from sb_mm.analysis import check_toolbox_configs


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'toolboxes',
        nargs='*',
        help='mmdet, mmseg, mmpretrain (default: those that are installed)')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    rows = check_toolbox_configs(**vars(parse_args()))
    sys.exit(any(row['outcome'] == 'different' for row in rows))
