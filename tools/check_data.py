#!/usr/bin/env python3
"""Check the labelled pictures of a config before days of training."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='folder for the contact sheet of samples after the pipeline '
        '(default: work_dirs/check_data/CONFIG)')
    parser.add_argument(
        '--jobs',
        type=int,
        help='images to read at a time (default: one for each core)')
    parser.add_cfg_options('data_root=data/mine/')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.apis:check_data', args), args)
