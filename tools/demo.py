#!/usr/bin/env python3
"""Train a network with SB on generated scenes, evaluate it and draw."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'task', choices=['classifier', 'detector', 'segmentor'])
    parser.add_argument(
        '--verbose', action='store_true', help='print the whole log')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.beacons.demo:demo', args), args)
