#!/usr/bin/env python3
"""Put the measurements of a folder into one table."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'root', help='folder with one folder of benchmark.py per measurement')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:summarize_performance', args), args)
