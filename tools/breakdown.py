#!/usr/bin/env python3
"""Where the gain or loss of a network lies: by size and number of objects, by
class and size of region, by class, from what run_matrix.py --test kept."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'work_dirs',
        nargs='*',
        metavar='WORK_DIR',
        help='of a tested run; none are needed with --keep')
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='write table.md, table.csv, values.csv and breakdown.png there')
    parser.add_argument(
        '--keep',
        action='store_true',
        help='count the runs that values.csv there has too, whose work dirs '
        'may be gone')
    parser.add_argument(
        '--baseline',
        metavar='CONFIG',
        help='name of the config to compare with (default: the first)')
    parser.add_argument(
        '--samples',
        type=int,
        default=1000,
        help='draws of the test images for their interval (default: 1000)')
    parser.add_argument(
        '--images',
        nargs='+',
        default=[],
        metavar='PATTERN',
        help='file names of images that are a group of their own, such as '
        '"night_*.png" or "ship/*"')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:breakdown', args), args)
