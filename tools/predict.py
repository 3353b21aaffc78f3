#!/usr/bin/env python3
"""Predict on pictures with a trained model, draw and write the predictions."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='pictures, folders of pictures, "patterns/**/*.jpg"')
    parser.add_argument(
        '--out',
        default='work_dirs/predictions',
        metavar='DIR',
        help='folder to write to (default: work_dirs/predictions)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        help='pictures at a time (default: 1)')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=.3,
        help='leave out detections of a smaller score (default: 0.3)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, …')
    parser.add_argument(
        '--force',
        action='store_true',
        help='write to a folder that is not empty')
    parser.add_trust()
    parser.add_cfg_options()
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.apis:predict', args), args)
