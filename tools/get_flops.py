#!/usr/bin/env python3
"""Count the parameters and multiply-adds of the models of configs.

For a detector the multiply-adds are those of its backbone and neck.
"""
import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import MODELS

from sb_mm.analysis import (count_complexity, print_table, receptive_field,
                            write_table)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='config files')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help="size of the image in pixels (default: the config's)")
    parser.add_argument(
        '--receptive-field',
        action='store_true',
        help="also find the receptive field of the backbone's last output")
    parser.add_argument(
        '--out', metavar='DIR', help='write table.md and table.csv there')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of every config')
    return parser.parse_args()


def field(cfg):
    backbone = MODELS.build(cfg.model.backbone)
    backbone.eval()
    found = receptive_field(lambda x: backbone(x)[-1])
    return f'{found[1] - found[0] + 1} px' if found else 'the whole image'


def main():
    args = parse_args()
    rows = []
    for config in args.configs:
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(args.cfg_options or {})
        parameters, flops, shape = count_complexity(cfg, args.shape)
        first = rows[0]['parameters'] if rows else parameters
        rows.append({
            'config': Path(config).stem,
            'parameters': parameters,
            'to the first': f'{parameters - first:+}' if rows else '',
            'multiply-adds': f'{flops / 1e6:.1f} M',
            'at': '{}×{}'.format(*shape),
            'receptive field': field(cfg) if args.receptive_field else ''
        })
    print_table(rows)
    if args.out:
        write_table(rows, args.out)


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
