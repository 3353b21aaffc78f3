#!/usr/bin/env python3
"""Put the networks with SB of several comparisons, and the same without it, into
one table."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'folders', nargs='+', metavar='FOLDER', help='of compare.py --out')
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:summarize_benchmarks', args), args)
