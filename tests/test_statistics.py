"""Differences over seeds, and the tool that asks whether context helps."""
import json
import math
from itertools import count

import numpy as np
import pytest
from conftest import CLS_CONFIG, ROOT
from scipy import stats

from sb_mm.analysis.context_gain import iterations_within
from sb_mm.analysis.costs import paired_values, pareto_front
from sb_mm.analysis.statistics import (bootstrap, format_difference,
                                       less_is_better, paired_difference,
                                       seeds_needed, verdict)
from sb_mm.utils.picture import network_styles


def test_interval_is_that_of_the_paired_t_test():
    draw = np.random.default_rng(0)
    ours, theirs = draw.normal(1, 1, 7), draw.normal(0, 1, 7)
    difference, half, number = paired_difference(
        dict(enumerate(ours)), {**dict(enumerate(theirs)), 99: 5.})
    test = stats.ttest_rel(ours, theirs)
    low, high = test.confidence_interval(.95)
    assert number == 7
    assert (difference - half, difference + half) == pytest.approx((low, high))
    assert (verdict(difference, half) == 'level') == (test.pvalue > .05)


def test_verdict():
    assert verdict(1, .9) == 'ahead' and verdict(-1, .9) == 'behind'
    assert verdict(1, 1.1) == verdict(1, 1) == 'level'
    assert verdict(1, None) == verdict(math.nan, math.nan) == ''
    assert verdict(1, .9, less=True) == 'behind'
    assert less_is_better('val/loss') and less_is_better('MAE')
    assert less_is_better('PixelError') and less_is_better('loss_cls')
    assert not less_is_better('mIoU') and not less_is_better('box AP')
    assert not less_is_better('IoU.terrain')  # t-err-ain
    assert not less_is_better('confidence')  # con-fid-ence
    assert all(map(less_is_better, (
        'abs_rel', 'rmse_log', 'silog', 'crowd_human/mMR',
        'motchallenge-metric/IDSW', 'motchallenge-metric/FN', 'IDFP')))
    assert not any(map(less_is_better, (
        'crowd_human/JI', 'motchallenge-metric/IDF1', 'motchallenge-metric/TP',
        'pascal_voc/mAP', 'bfn', 'Recall@1')))


def test_difference_as_text():
    assert format_difference(.2, 1.1, 1) == '+0.2 [-0.9, +1.3]'
    assert format_difference(-.0412, None, 3) == '-0.041'


def test_one_seed_has_no_interval():
    assert paired_difference({0: 2.}, {0: 1.}) == (1., None, 1)
    assert paired_difference({0: 2.}, {1: 1.}) == (1., None, 0)


def test_seeds_needed():
    # differences of 1 ± 2: the smallest n with t(n - 1) * 2 / sqrt(n) < 1
    half = stats.t.ppf(.975, 2) * 2 / 3**.5
    needed = seeds_needed(1, half, 3)
    assert stats.t.ppf(.975, needed - 1) * 2 / needed**.5 < 1
    assert stats.t.ppf(.975, needed - 2) * 2 / (needed - 1)**.5 >= 1
    assert seeds_needed(1e-9, half, 3) is None
    assert seeds_needed(9, half, 3) == 4  # one more at the least


def test_bootstrap():
    values = np.random.default_rng(1).normal(3, 1, 400)
    low, high = bootstrap(values, np.mean)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=.02)
    assert high == pytest.approx(values.mean() + half, abs=.02)
    assert bootstrap(values, np.mean) == (low, high)  # the seed's
    draws = count()
    assert bootstrap([0], lambda _: next(draws), 1000) == (24, 974)
    # every other draw has nothing to measure
    draws = (value for i in range(1000) for value in (math.nan, i))
    assert bootstrap([0], lambda _: next(draws), 2000) == (24, 974)


@pytest.mark.long
def test_context_gain(run_tool, tiny_cls, tmp_path):
    options = [
        option for option in tiny_cls
        if not option.startswith(('train_cfg', 'param_sch', 'default_hooks'))
    ]
    (tmp_path / 'gain').mkdir()
    (tmp_path / 'gain/iterations').write_text('4')  # the budget's, otherwise
    args = ('context_gain.py', CLS_CONFIG, '--seeds', 0, 1, '--jobs', 2,
            '--json', '--work-dir', 'gain', '--budget')
    result = run_tool(*args, '60s', '--cfg-options', *options)
    assert not result.returncode, result.stdout
    assert '4 iterations, as gain/iterations says' in result.stdout
    *rows, answer = json.loads(result.stdout[result.stdout.index('[\n {'):])
    assert [row['config'] for row in rows] == ['plain', 'sb']
    # they differ in nothing that compare.py would name
    assert rows[1]['differs in'] == '' and rows[0]['seeds'] == '0, 1'
    assert answer['answer'].split(':')[0] in ('yes', 'no, it is worse',
                                              'cannot tell')
    assert '2 seeds, 4 iterations' in answer['answer']
    log = (tmp_path / 'gain/sb/seed_0/output.txt').read_text()
    assert 'tensors start as in the twin' in log
    assert (tmp_path / 'gain/curves.png').is_file()

    again = run_tool(*(arg for arg in args if arg != '--json'), '60s',
                     '--cfg-options', *options)  # nothing to run
    assert (again.stdout.splitlines()[-1] ==
            f'does context help? {answer["answer"]}')


def test_context_gain_refuses(run_tool, tmp_path):
    config = ROOT / 'configs/comparison/maskrcnn_r50_coco.py'
    result = run_tool('context_gain.py', config, '--budget', 'long')
    assert result.returncode == 2 and 'such as 90s, 30min' in result.stdout
    vit = tmp_path / 'vit.py'
    vit.write_text("_base_ = 'mmpretrain::vision_transformer/"
                   "vit-base-p16_32xb128-mae_in1k.py'")
    result = run_tool('context_gain.py', vit)
    assert result.returncode == 2
    assert 'VisionTransformer, which has no twin with SB' in result.stdout


def test_budget_that_is_too_little(run_tool, tiny_cls):
    options = [option for option in tiny_cls if 'train_cfg' not in option]
    result = run_tool('context_gain.py', CLS_CONFIG, '--budget', '1s',
                      '--cfg-options', *options)
    assert result.returncode == 2
    assert '--budget 1s is too little for 6 runs' in result.stdout


@pytest.mark.parametrize('runs, jobs, want', [
    (6, 1, 90), (6, 2, 190), (6, 4, 290), (6, 6, 590), (2, 8, 590)])
def test_runs_side_by_side_end_within_the_budget(runs, jobs, want):
    """Ten minutes, of which each run takes ten seconds to begin."""
    assert iterations_within(600, runs, jobs, 10, 1) == want


def test_pareto_front():
    points = [(3, 5), (1, 2), (2, 1), (2, 4), (3, 4)]
    assert pareto_front(points) == [(1, 2), (2, 4), (3, 5)]
    assert pareto_front(points, less=True) == [(1, 2), (2, 1)]


def test_networks_of_other_seeds_stand_where_the_baseline_would():
    found = paired_values({
        'plain': {0: 5., 1: 7., 2: 3.},
        'same': {0: 6., 1: 9., 2: 6.},
        'bad seed alone': {2: 3.5}
    }, 'plain')
    assert found['plain'] == (5, None)
    value, half = found['same']
    assert value == 7
    assert half == pytest.approx(stats.t.ppf(.975, 2) / 3**.5)
    assert found['bad seed alone'] == (5.5, None)


def test_networks_look_the_same_in_all_pictures():
    names = [f'network_{i}' for i in range(10)]
    styles = network_styles(names)
    assert network_styles(reversed(names)) == styles
    for part in ('color', 'marker'):
        assert len({style[part] for style in styles.values()}) == 10
