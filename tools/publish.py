#!/usr/bin/env python3
"""Make a file for others of the last weights of a tested run: weights, config and
classes, its digest in its name. Print its entry for a metafile."""
from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'work_dir', metavar='WORK_DIR', help='of a tested run')
    parser.add_argument('out', metavar='DIR', help='folder for the file')
    parser.add_argument(
        '--dataset',
        required=True,
        metavar='NAME',
        help='name of the data set, such as CIFAR-10')
    parser.add_argument(
        '--url', help='where DIR will be found (default: DIR itself)')
    return parser.parse_args()


if __name__ == '__main__':
    print(call('sb_mm.apis.publish:publish', parse_args()), end='')
