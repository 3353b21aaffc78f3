"""Networks with and without SB in several benchmarks, as one table."""
import re
from pathlib import Path
from typing import List, Optional, Sequence, Union

from ..utils.table import read_csv, write_table


def summarize_benchmarks(folders: Sequence[Union[str, Path]],
                         out: Optional[str] = None) -> List[dict]:
    """Put what :func:`compare` said of networks with SB into one table.

    A network with SB is one that has the name of another with ``sb_`` before
    its depth, such as ``upernet_sb_r50_camvid`` and ``upernet_r50_camvid``.

    Args:
        folders (list[str or Path]): Folders of ``tools/compare.py --out``.
        out (str, optional): Folder to write ``table.md`` and ``table.csv`` to.
            Defaults to None.

    Returns:
        list[dict]: A row for each network and metric.

    Raises:
        ValueError: If there is no such network in a folder.
    """
    rows = []
    for folder in folders:
        table = {
            row['config']: row
            for row in read_csv(Path(folder, 'table.csv'))
            if row['status'] == 'finished'
        }
        pairs = [(plain, table[name]) for plain in table.values()
                 for name in [re.sub(r'(^|_)(?=r\d+_)', r'\1sb_',
                                     plain['config'], count=1)]
                 if name in table]
        if not pairs:
            raise ValueError(f'{folder} has no finished network with SB and '
                             'the same without it; it has '
                             f'{", ".join(table) or "no table.csv"}')
        rows += [{
            'network with SB': ours['config'],
            'metric': metric,
            'plain': plain[metric],
            'SB': ours[metric],
            'difference': ours[f'Δ {metric}'],
            'seeds': ours['seeds']
        } for plain, ours in pairs for metric in ours
                 if ours.get(f'Δ {metric}')]
    if out:
        write_table(rows, out)
    return rows
