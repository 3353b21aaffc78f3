#!/usr/bin/env python3
"""Draw the bias maps of every SB block over images, and print how much each
block's output changes without them."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument(
        'images',
        nargs='+',
        metavar='IMAGE',
        help='images, folders of images, "patterns/**/*.jpg"')
    parser.add_argument(
        '--out',
        default='work_dirs/bias',
        metavar='DIR',
        help='folder for the pictures (default: work_dirs/bias)')
    parser.add_argument(
        '--vis-backends',
        nargs='+',
        default=['LocalVisBackend'],
        metavar='BACKEND',
        help="MMEngine's backends, e.g. TensorboardVisBackend (default: "
        'LocalVisBackend, which writes files)')
    parser.add_trust()
    parser.add_cfg_options()
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.visualization:show_bias', args), args)
