from .config import InputError, prepare_test, prepare_train
from .run import run_test, run_train

__all__ = [
    'InputError', 'prepare_test', 'prepare_train', 'run_test', 'run_train'
]
