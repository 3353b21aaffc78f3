from .benchmark import benchmark
from .compare import compare
from .complexity import count_complexity
from .matrix import run_matrix
from .receptive_field import receptive_field
from .table import fill_tables, print_table, write_table

__all__ = [
    'benchmark', 'compare', 'count_complexity', 'fill_tables', 'print_table',
    'receptive_field', 'run_matrix', 'write_table'
]
