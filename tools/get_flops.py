#!/usr/bin/env python3
"""Count the parameters and multiply-adds of a config's model.

For a detector that is its backbone and neck; RoI heads depend on the image.
"""
import argparse

from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope

import sb_mm  # noqa: F401


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        default=[224, 224],
        metavar=('H', 'W'),
        help='size of the image in pixels (default: 224 224)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config')
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    model.eval()
    if cfg.default_scope == 'mmdet':
        model.forward = model.extract_feat
    count = get_model_complexity_info(
        model, (3, *args.shape), show_table=False, show_arch=False)
    parameters = sum(param.numel() for param in model.parameters())
    print(f'parameters: {parameters / 1e6:.6f} M')
    print(f'multiply-adds: {count["flops"] / 1e6:.1f} M')


if __name__ == '__main__':
    main()
