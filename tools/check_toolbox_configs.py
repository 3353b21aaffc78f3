#!/usr/bin/env python3
"""Swap the backbone of every config of the toolboxes and compare outputs."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'toolboxes',
        nargs='*',
        help='mmdet, mmseg, mmpretrain (default: those that are installed)')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:check_toolbox_configs', args), args)
