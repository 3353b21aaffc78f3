#!/usr/bin/env python3
"""Put runs of the standard runner side by side: one row for each config, mean
and standard deviation over its seeds."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'work_dirs',
        nargs='*',
        metavar='WORK_DIR',
        help='of a training run; none are needed with --keep')
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='write table.md, pairs.md (each to each), both as csv, runs.csv, '
        'curves.csv and curves.png there')
    parser.add_argument(
        '--keep',
        action='store_true',
        help='count the runs that runs.csv there has too, whose work dirs may '
        'be gone')
    parser.add_argument(
        '--baseline',
        metavar='CONFIG',
        help='name of the config to compare with (default: the first)')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help="count multiply-adds at this size (default: the config's)")
    parser.add_argument(
        '--speed',
        metavar='FILE',
        help='results.json of benchmark.py: draw every metric over the time of '
        'an image and the parameters')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:compare', args), args)
