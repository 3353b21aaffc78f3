from .benchmark import benchmark
from .benchmarks import summarize_benchmarks
from .breakdown import breakdown
from .compare import compare
from .complexity import compare_complexity, count_complexity
from .context_gain import context_gain
from .matrix import run_matrix
from .performance import summarize_performance
from .receptive_field import receptive_field
from ..utils.table import fill_tables, print_table, write_table
from .toolbox_configs import check_toolbox_configs

__all__ = [
    'benchmark', 'breakdown', 'check_toolbox_configs', 'compare',
    'compare_complexity', 'context_gain', 'count_complexity', 'fill_tables',
    'print_table', 'receptive_field', 'run_matrix', 'summarize_benchmarks',
    'summarize_performance', 'write_table'
]
