#!/usr/bin/env python3
"""Put the measurements of a folder into one table."""
import sys

from cli import ArgumentParser


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'root', help='folder with one folder of benchmark.py per measurement')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    # after the arguments: the toolboxes take seconds to import
    from sb_mm.analysis import summarize_performance
    try:
        summarize_performance(**vars(args))
    except OSError as error:
        sys.exit(f'error: {error}')
