#!/usr/bin/env python3
"""Put the measurements of a folder into one table."""
import argparse
import sys

from sb_mm.analysis import summarize_performance


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'root', help='folder with one folder of benchmark.py per measurement')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    try:
        summarize_performance(**vars(parse_args()))
    except OSError as error:
        sys.exit(f'error: {error}')
