#!/usr/bin/env python3
"""Test a model of MMDetection, MMSegmentation or MMPreTrain."""
from cli import ArgumentParser, call


def parse_args():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='folder for logs (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help="write the predictions: FILE.json in COCO's format for a "
        'detector (FILE.bbox.json and FILE.segm.json), a folder of maps of labels for a segmentor, FILE.csv or '
        'FILE.json for a classifier, FILE.pkl with everything for all')
    parser.add_argument(
        '--score-maps',
        action='store_true',
        help="keep a segmentor's score maps in FILE.pkl, some hundred MB an "
        'image')
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='write pictures of the predictions beside the ground truth')
    parser.add_argument(
        '--tta',
        action='store_true',
        help="test-time augmentation: the config's own, or else flips")
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='test also where a part of the model got no weights')
    parser.add_trust()
    parser.add_cfg_options('test_dataloader.batch_size=4')
    parser.add_launcher()
    return parser.parse_args()


if __name__ == '__main__':
    call('sb_mm.apis:run_test', parse_args())
