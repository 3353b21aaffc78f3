#!/usr/bin/env python3
"""Draw the bias maps of every SB block over images, and print how much each
block's output changes without them."""
from cli import ArgumentParser, call, report
from mmengine.config import DictAction


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument('images', nargs='+', metavar='IMAGE')
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
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read a checkpoint with more than weights in it, which can run '
        'code')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.visualization:show_bias', args), args)
