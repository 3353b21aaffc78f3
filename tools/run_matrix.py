#!/usr/bin/env python3
"""Train configs times seeds, skip what is finished, resume what is not, and
end with the table of tools/compare.py."""
from cli import ArgumentParser, call, report


def parse_args():
    parser = ArgumentParser(json=True, description=__doc__)
    parser.add_argument('configs', nargs='+', help='config files')
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0], help='(default: 0)')
    parser.add_argument(
        '--work-dir',
        default='work_dirs/matrix',
        help='folder for the runs (default: work_dirs/matrix)')
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time (default: 1)')
    parser.add_argument(
        '--gpus',
        type=int,
        default=0,
        help='GPUs of each run, by torchrun (default: no torchrun)')
    parser.add_argument(
        '--test',
        action='store_true',
        help='test the last weights of each run once, and keep the predictions '
        'in its work dir (default: the table has the last validation)')
    parser.add_cfg_options(as_text=True)
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='folder for the table (default: that of the runs)')
    parser.add_argument(
        '--baseline', help='config to compare with (default: the first)')
    parser.add_argument(
        '--keep',
        action='store_true',
        help='the runs with the same settings in the runs.csv of --out are '
        'finished too, and count')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    report(call('sb_mm.analysis:run_matrix', args), args)
