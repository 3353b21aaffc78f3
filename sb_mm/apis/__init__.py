from .check_data import check_data
from .checks import InputError
from .config import prepare_test, prepare_train
from .export import export
from .predict import predict
from .run import RunError, run_test, run_train

__all__ = [
    'InputError', 'RunError', 'check_data', 'export', 'predict', 'prepare_test',
    'prepare_train', 'run_test', 'run_train'
]
