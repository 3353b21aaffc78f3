"""Tables on the terminal, in Markdown and in CSV."""
import csv
from pathlib import Path

from rich.console import Console
from rich.table import Table


def _cells(rows):
    """The columns that any row has a value for, and the lines as text."""
    columns = [
        column for column in dict.fromkeys(key for row in rows for key in row)
        if any(row.get(column) not in ('', None) for row in rows)
    ]
    return columns, [[str(row.get(column, '')) for column in columns]
                     for row in rows]


def print_table(rows):
    """Print rows, dicts of column and value, as a table."""
    columns, lines = _cells(rows)
    table = Table(*columns)
    for line in lines:
        table.add_row(*line)
    console = Console()
    if not console.is_terminal:  # a file or a pipe gets every column in full
        console = Console(width=400)
    console.print(table)


def write_table(rows, folder):
    """Write rows to ``table.md`` and ``table.csv`` in a folder."""
    columns, lines = _cells(rows)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'table.csv', 'w', newline='') as file:
        csv.writer(file).writerows([columns, *lines])
    (folder / 'table.md').write_text(''.join(
        f'| {" | ".join(line)} |\n'
        for line in [columns, ['---'] * len(columns), *lines]))
