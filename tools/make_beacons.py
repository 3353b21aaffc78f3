#!/usr/bin/env python3
"""Generate Beacons: scenes whose objects can only be told with context."""
import argparse

from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('root', help='folder to write to')
    parser.add_argument(
        '--num-train', type=int, default=400, help='training images')
    parser.add_argument(
        '--num-val', type=int, default=100, help='validation images')
    parser.add_argument(
        '--size', type=int, default=256, help='side of an image in pixels')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cue',
        default='beacon',
        help='where the colour can be seen: on the beacon, nowhere (none), or '
        'on the objects (local)')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    written = call('sb_mm.beacons:make_beacons', args)
    print(args.root, 'written' if written else 'is there already')
