#!/usr/bin/env python3
"""Does context help on this data? Train without and with SB on a short schedule."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'config', help='config of the plain network, or of the one with SB')
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[0, 1, 2],
        help='a pair of runs for each (default: 0 1 2)')
    parser.add_argument(
        '--budget',
        default='30min',
        metavar='TIME',
        help='for all runs: 90s, 30min, 2h (default: 30min)')
    parser.add_argument(
        '--work-dir',
        help='folder for the runs, curves.png and the table (default: '
        'work_dirs/context_gain/CONFIG)')
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time (default: 1)')
    parser.add_cfg_options(as_text=True)
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:context_gain', args), args)
