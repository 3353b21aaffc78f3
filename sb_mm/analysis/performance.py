"""Many measurements of one machine as one table."""
import json
import sys
from pathlib import Path
from typing import List, Optional, Union

from ..utils.table import write_table


def summarize_performance(root: Union[str, Path],
                          out: Optional[str] = None) -> List[dict]:
    """Put what ``tools/benchmark.py`` wrote into one table.

    Args:
        root (str or Path): Folder with a folder for each measurement, whose
            first two rows of a size are the plain network.
        out (str, optional): Folder to write ``table.md`` and ``table.csv`` to.
            Defaults to None.

    Returns:
        list[dict]: A row for each measurement and size: the speed of the plain
        network, and the ratio of each of the others to it.

    Raises:
        FileNotFoundError: If there is no measurement.
    """
    rows, machines = [], set()
    for path in sorted(Path(root).glob('*/results.json')):
        results = json.loads(path.read_text())
        settings, sizes = results['settings'], {}
        machines.add('{device}, {instructions}, {threads} threads, PyTorch '
                     '{torch}, {allocator}, {rounds} rounds'.format(**settings))
        for row in results['rows']:
            size = row.get('size (px)') or row['size']
            sizes.setdefault(size, []).append(row)
        for size, (plain, *others) in sizes.items():
            row = {
                'measured': path.parent.name.replace('_', ' '),
                'size (px)': f"{settings['batch_size']}×{size}",
                'plain, images/s': plain.get('images/s')  # it may have failed
            }
            for other in others:
                name = _NAMES.get(_kind(other['config']), 'plain again')
                row[name] = other.get('ratio to the first', other.get('ratio'))
                if name == 'SB':
                    row['SB, memory'] = other.get('memory ratio')
            rows.append(row)
    if not rows:
        raise FileNotFoundError(f'no */results.json in {root}')
    for machine in sorted(machines):
        print(machine, file=sys.stderr)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{key: row.get(key, '') for key in columns} for row in rows]
    if out:
        write_table(rows, out)
    return rows


_NAMES = dict(sb='SB', gc='GC', nl='non-local')


def _kind(config):
    return config.split('_')[1]
