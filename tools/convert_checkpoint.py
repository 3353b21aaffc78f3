#!/usr/bin/env python3
"""Convert a checkpoint to SB or back, see docs/checkpoints.md."""
from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--to',
        choices=['sb', 'plain'],
        required=True,
        help='sb: the same outputs, ready to be fine-tuned; plain: back, '
        'where SB has not learnt yet')
    parser.add_argument(
        '--from',
        choices=['toolbox', 'authors', 'onnx'],
        default='toolbox',
        dest='layout',
        help='layout of SRC; onnx: a plain ResNet of any exporter (default: '
        'toolbox)')
    parser.add_argument('--config', help='config of the SB model, for --to sb')
    parser.add_argument(
        '--new-heads',
        action='store_true',
        help='for other classes than those of SRC: leave out the layers that '
        'tell classes apart, and name them')
    parser.add_argument(
        '--force', action='store_true', help='overwrite DST')
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read a file with more than weights in it, which can run code')
    return parser.parse_args()


if __name__ == '__main__':
    lines = call('sb_mm.checkpoints:convert_checkpoint', parse_args())
    print('\n'.join(lines))
