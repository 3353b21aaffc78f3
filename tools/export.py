#!/usr/bin/env python3
"""Write a trained network to a file for ONNX, TorchScript or torch.export, and
compare what the file computes, see docs/deploy.md."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument(
        '--format',
        choices=['onnx', 'torchscript', 'exported'],
        default='onnx',
        help='exported: that of torch.export (default: onnx)')
    parser.add_argument(
        '--what',
        choices=['model', 'backbone'],
        default='model',
        help='backbone: with the neck in a detector (default: model)')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(224, 224),
        metavar=('H', 'W'),
        help='of the images in pixels (default: 224 224)')
    parser.add_argument(
        '--dynamic',
        action='store_true',
        help='a file for every size and batch; of multiples of 32 with '
        'exported')
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='.onnx, .pt or .pt2')
    parser.add_trust()
    parser.add_cfg_options()
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.apis:export', args), args)
