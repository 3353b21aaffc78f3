"""Tables on the terminal, in Markdown and in CSV."""
import csv
import re
from pathlib import Path
from typing import Dict, List, Sequence, Union

from rich.console import Console
from rich.table import Table

from .scratch_file import scratch_file


def _cells(rows):
    """The columns that any row has a value for, and the lines as text."""
    columns = [
        column for column in dict.fromkeys(key for row in rows for key in row)
        if any(row.get(column) not in ('', None) for row in rows)
    ]
    return columns, [[
        '' if row.get(column) is None else str(row[column])
        for column in columns
    ] for row in rows]


def print_table(rows: Sequence[dict]) -> None:
    """Print rows, dicts of column and value, as a table."""
    columns, lines = _cells(rows)
    table = Table(*columns)
    for line in lines:
        table.add_row(*line)
    console = Console()
    if not console.is_terminal:  # a file or a pipe gets every column in full
        console = Console(width=400)
    console.print(table)


def write_table(rows: Sequence[dict],
                folder: Union[str, Path],
                name: str = 'table') -> None:
    """Write rows to ``NAME.md`` and ``NAME.csv`` in a folder."""
    columns, lines = _cells(rows)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(rows, folder / f'{name}.csv')
    (folder / f'{name}.md').write_text(''.join(
        f'| {" | ".join(line)} |\n'
        for line in [columns, ['---'] * len(columns), *lines]))


def write_csv(rows: Sequence[dict], path: Union[str, Path]) -> None:
    """Write rows to a file; one that is there stays until the new one is
    complete."""
    columns, lines = _cells(rows)
    with scratch_file(Path(path)) as scratch:
        with open(scratch, 'w', newline='') as file:
            csv.writer(file).writerows([columns, *lines])
        scratch.replace(path)


def read_csv(path: Union[str, Path]) -> List[Dict[str, str]]:
    """Read the rows of a file; there are none where there is no file."""
    if not Path(path).is_file():
        return []
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def fill_tables(document: Union[str, Path],
                keep_missing: bool = False) -> Dict[str, bool]:
    """Put the tables that a document names into it.

    What stands between ``<!-- table: FILE -->`` and ``<!-- end -->`` is
    replaced by the content of the file.

    Args:
        document (str or Path): Markdown file, changed in place.
        keep_missing (bool): Whether to keep what stands there where a file
            does not exist. Defaults to False.

    Returns:
        dict[str, bool]: Whether each file was filled in.

    Raises:
        FileNotFoundError: If a file does not exist; nothing is changed then.
        ValueError: If the document names none.
    """
    document, files = Path(document), {}

    def fill(mark):
        head, file, end = mark.groups()
        files[file] = Path(file).is_file()
        if keep_missing and not files[file]:
            return mark[0]
        return f'{head}\n{Path(file).read_text().strip()}\n{end}'

    text = re.sub(
        r'(<!-- table: (\S+) -->).*?(<!-- end -->)',
        fill,
        document.read_text(),
        flags=re.S)
    if not files:
        raise ValueError(f'{document} names no table')
    document.write_text(text)
    return files
