#!/usr/bin/env python3
"""Put the tables that documents name into them, from the files that
run_matrix.py, compare.py and benchmark.py wrote."""
from argparse import Namespace

from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'documents',
        nargs='+',
        metavar='DOCUMENT',
        help='Markdown files with <!-- table: FILE --> … <!-- end -->')
    parser.add_argument(
        '--keep-missing',
        action='store_true',
        help='keep what stands there where a file does not exist')
    return parser.parse_args()


if __name__ == '__main__':
    args = vars(parse_args())
    for document in args.pop('documents'):
        files = call('sb_mm.analysis:fill_tables',
                     Namespace(document=document, **args))
        for file, filled in files.items():
            print(f'{document}: {file}',
                  '' if filled else 'does not exist, kept as it was')
