#!/usr/bin/env python3
"""Predict on pictures and videos, draw and write the predictions."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument(
        'inputs',
        nargs='*',
        metavar='INPUT',
        help='pictures, videos, folders of pictures, "patterns/**/*.jpg", '
        'camera:0')
    parser.add_argument(
        '--out',
        default='work_dirs/predictions',
        metavar='DIR',
        help='folder to write to (default: work_dirs/predictions)')
    parser.add_argument(
        '--against',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a second model, drawn beside the first; differences.csv lists '
        'where they differ')
    parser.add_argument(
        '--bias',
        action='store_true',
        help='draw the bias maps of every SB block too')
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
    parser.add_argument(
        '--classes', nargs='+', metavar='NAME', help='predict these alone')
    parser.add_argument(
        '--opacity',
        type=float,
        metavar='X',
        help='of what is drawn over a picture, 0 to 1 (default: 0.8)')
    parser.add_argument(
        '--no-pictures',
        action='store_false',
        dest='pictures',
        help='draw nothing, which takes as long as a small network does')
    parser.add_argument(
        '--max-frames',
        type=int,
        metavar='N',
        help='frames of a video or camera to take (default: all)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, …')
    parser.add_argument(
        '--force',
        action='store_true',
        help='write to a folder that is not empty')
    parser.add_argument(
        '--web',
        action='store_true',
        help='open a page on this machine that takes pictures one by one')
    parser.add_argument(
        '--port', type=int, default=7860, help='of the page (default: 7860)')
    parser.add_trust()
    parser.add_cfg_options()
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.apis:predict', args), args)
