#!/usr/bin/env python3
"""Train a model of MMDetection, MMSegmentation or MMPreTrain."""
from cli import ArgumentParser, call
from mmengine.config import DictAction


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
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read checkpoints with more than weights in them, which can run '
        'code')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_cfg.max_epochs=1 '
        'model.backbone.init_cfg=None; lists as key="[a,b]", without spaces')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='launcher of a distributed run (default: none)')
    # torchrun sets the environment variable instead
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


if __name__ == '__main__':
    call('sb_mm.apis:run_train', parse_args())
