#!/usr/bin/env python3
"""Measure the throughput and memory of networks side by side."""
import argparse
from cli import ArgumentParser, call, report


def size(text):
    height, _, width = text.partition('x')
    return int(height), int(width or height)


def parse_args():
    parser = ArgumentParser(
        json=True,
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        'configs', nargs='+', help='config files; ratios are to the first')
    parser.add_argument(
        '--mode',
        choices=['infer', 'train'],
        default='infer',
        help='train: forward, backward and SGD')
    parser.add_argument(
        '--sizes',
        type=size,
        nargs='+',
        default=[(224, 224)],
        metavar='HxW',
        help='sizes of the images in pixels')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument(
        '--whole',
        action='store_true',
        help='the whole model, not the backbone')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument(
        '--dtype',
        choices=['float32', 'bfloat16', 'float16'],
        default='float32')
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--compile', action='store_true')
    parser.add_argument(
        '--fuse', action='store_true', help='fold BN into the convolutions')
    parser.add_argument(
        '--graph', action='store_true', help='replay a CUDA graph')
    parser.add_argument('--threads', type=int, help='CPU threads')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='write table.md, table.csv, results.json and chart.png there')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:benchmark', args), args)
