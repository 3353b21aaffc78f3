#!/usr/bin/env python3
"""Put the tables that documents name into them, from the files that
run_matrix.py, compare.py and benchmark.py wrote."""
import argparse
import sys

from sb_mm.analysis import fill_tables


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'documents',
        nargs='+',
        metavar='DOCUMENT',
        help='Markdown files with <!-- table: FILE --> … <!-- end -->')
    return parser.parse_args()


if __name__ == '__main__':
    for document in parse_args().documents:
        try:
            for file in fill_tables(document):
                print(f'{document}: {file}')
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')
