#!/usr/bin/env python3
"""Put the tables that documents name into them, from the files that
run_matrix.py, compare.py and benchmark.py wrote."""
import sys

from cli import ArgumentParser


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
    args = parse_args()
    # after the arguments: the toolboxes take seconds to import
    from sb_mm.analysis import fill_tables
    for document in args.documents:
        try:
            files = fill_tables(document, args.keep_missing)
            for file, filled in files.items():
                print(f'{document}: {file}',
                      '' if filled else 'does not exist, kept as it was')
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')
