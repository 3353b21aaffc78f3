"""Whether a difference between runs is more than chance."""
import re
from math import ceil, isnan, sqrt
from statistics import mean, stdev

#: Metrics of which less is better, those of the toolboxes for depth, crowds and
#: tracks among them; of all others more is, such as IoU.terrain.
_LESS = re.compile(
    r'(?i:loss(?:es)?|err(?:ors?)?|mae|mse|nll|fid|distances?|(?:abs|sq)_rel|'
    r'silog|log10|mmr|idsw|frag|(?<![a-z])(?:id)?f[pn])(?![a-z])')


def less_is_better(metric):
    """bool: Whether a smaller value of a metric is the better one, by its
    name."""
    return bool(_LESS.search(metric))


def paired_difference(ours, theirs):
    """Difference of two networks over the seeds that both were trained with.

    Args:
        ours (dict[int, float]): Value for each seed.
        theirs (dict[int, float]): The same for the other network.

    Returns:
        tuple[float, float or None, int]: Mean of the differences, half the
        width of their 95 % interval by Student's t, None with fewer than two
        seeds, and the number of seeds.
    """
    differences = [ours[seed] - theirs[seed] for seed in ours.keys() & theirs]
    number = len(differences)
    if not number:
        return mean(ours.values()) - mean(theirs.values()), None, 0
    if number == 1:
        return differences[0], None, 1
    half = _t(number) * stdev(differences) / sqrt(number)
    return mean(differences), half, number


def verdict(difference, half, less=False):
    """What a paired difference says, by a rule that was there before the runs.

    Args:
        difference (float): Mean of the differences.
        half (float or None): Half the width of their 95 % interval.
        less (bool): Whether less is better. Defaults to False.

    Returns:
        str: 'ahead' or 'behind' if the interval has no 0 in it, 'level' if it
        has, nothing without an interval or of NaN.
    """
    if half is None or isnan(difference):
        return ''
    if abs(difference) <= half:
        return 'level'
    return 'ahead' if (difference > 0) != less else 'behind'


def format_difference(difference, half, decimals):
    """A paired difference as text.

    Args:
        difference (float): Mean of the differences.
        half (float or None): Half the width of their 95 % interval.
        decimals (int): Digits after the point.

    Returns:
        str: Such as '+0.2 [-0.9, +1.3]', without an interval '+0.2'.
    """
    text = f'{difference:+.{decimals}f}'
    if half is None:
        return text
    return (f'{text} [{difference - half:+.{decimals}f}, '
            f'{difference + half:+.{decimals}f}]')


def seeds_needed(difference, half, number):
    """How many seeds would tell a difference of this size from 0.

    Args:
        difference (float): Mean of the differences.
        half (float): Half the width of their 95 % interval.
        number (int): Seeds that gave them.

    Returns:
        int or None: The number, None if it is beyond a thousand.
    """
    deviation = half * sqrt(number) / _t(number)
    for seeds in range(number + 1, 1001):
        if _t(seeds) * deviation / sqrt(seeds) < abs(difference):
            return seeds


def _t(number):
    from scipy.stats import t
    return t.ppf(.975, number - 1)


def bootstrap(values, statistic, samples=2000, seed=0):
    """95 % interval of a statistic by drawing the values anew.

    Args:
        values (Sequence): What was measured, for example one pair of results
            for each test image.
        statistic (callable): Takes a list of them, returns a number, or NaN
            where they have nothing to measure: such draws do not count.
        samples (int): Draws. Defaults to 2000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        tuple[float, float]: The interval.
    """
    import numpy as np
    draw = np.random.default_rng(seed)
    drawn = (statistic([values[i] for i in draw.integers(0, len(values),
                                                         len(values))])
             for _ in range(samples))
    found = sorted(value for value in drawn if not isnan(value))
    return (found[ceil(.025 * len(found)) - 1],
            found[ceil(.975 * len(found)) - 1])
