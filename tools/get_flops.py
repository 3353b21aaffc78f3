#!/usr/bin/env python3
"""Count the parameters and multiply-adds of the models of configs.

For a detector the multiply-adds are those of its backbone and neck.
"""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('configs', nargs='+', help='config files')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help="size of the image in pixels (default: the config's)")
    parser.add_argument(
        '--receptive-field',
        action='store_true',
        help="also find the receptive field of the backbone's last output")
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    parser.add_cfg_options()
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:compare_complexity', args), args)
