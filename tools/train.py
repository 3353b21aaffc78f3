#!/usr/bin/env python3
"""Train a model of MMDetection, MMSegmentation or MMPreTrain."""
from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train with automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the actual batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint (default: the latest in the work dir)')
    parser.add_trust()
    parser.add_cfg_options('train_cfg.max_epochs=1 model.backbone.init_cfg=None')
    parser.add_launcher()
    return parser.parse_args()


if __name__ == '__main__':
    call('sb_mm.apis:run_train', parse_args())
