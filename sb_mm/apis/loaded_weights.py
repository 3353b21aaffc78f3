from collections import Counter

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import HOOKS

from ..checkpoints import new_lines, without_heads
from ..models.residual_block import SBBlockMixin
from ..utils.table import print_table
from .checks import listed


class MissingWeightsError(Exception):
    """A part of the model got no weights; the message says which."""


@HOOKS.register_module()
class LoadedWeightsHook(Hook):
    """Say what of a model the checkpoint had, and refuse to test a model with
    a part that it had nothing for.

    The runner passes over what is missing or does not fit with a line of the
    log, and would score random weights.

    Args:
        allow_missing (bool): Whether to test nevertheless. Defaults to False.
    """

    def __init__(self, allow_missing: bool = False) -> None:
        self.allow_missing = allow_missing
        self.empty = []

    def after_load_checkpoint(self, runner, checkpoint) -> None:
        """Compare what the model wants with what it got.

        Args:
            runner (Runner): The runner of the process.
            checkpoint (dict): What is about to be loaded.

        Raises:
            MissingWeightsError: If a part of the model that has weights gets
                none, as the loading that follows finds out.
        """
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        weights = checkpoint.get('state_dict', checkpoint)
        shapes = {
            key.removeprefix('module.'): getattr(value, 'shape', None)
            for key, value in weights.items()
        }

        def compare(_, incompatible_keys):
            handle.remove()
            self._compare(model, shapes, incompatible_keys)

        handle = model.register_load_state_dict_post_hook(compare)

    def _compare(self, model, shapes, incompatible_keys):
        missing = set(incompatible_keys.missing_keys)
        # a plain weight in the reader of bias maps was completed
        readers = {
            f'{name}.{block.reader}.weight'
            for name, block in model.named_modules()
            if isinstance(block, SBBlockMixin) and block.extended
        }
        counts = {}
        for key, value in model.state_dict().items():
            if key.endswith('num_batches_tracked'):
                continue
            given = shapes.get(key, value.shape)
            outcome = ('missing' if key in missing else
                       'loaded' if given == value.shape or key in readers else
                       'of another shape')
            counts.setdefault(_part(key), Counter())[outcome] += 1
        for key in incompatible_keys.unexpected_keys:
            counts.setdefault(_part(key), Counter())['left over'] += 1
        wanted = {_part(key) for key in model.state_dict()} & counts.keys()
        self.empty = sorted(
            part for part in wanted if not counts[part]['loaded'])
        _print(counts)
        self._check(wanted, counts)

    def _check(self, wanted, counts):
        if self.empty and not self.allow_missing:
            raise MissingWeightsError(f'{self.message}: it would be tested '
                                      'with random weights. --allow-missing '
                                      'tests it nevertheless')

    @property
    def message(self) -> str:
        """str: Which parts of the model got nothing."""
        return ('the checkpoint has no weights that fit '
                f'{", ".join(self.empty)}')


@HOOKS.register_module()
class NewHeadsHook(LoadedWeightsHook):
    """Begin a training with a model of other classes: everything but the
    layers that tell its classes apart is loaded, and what is new is named.

    The runner by itself passes over weights of another shape, and over a file
    of which nothing fits, with a line of the log.
    """

    def __init__(self) -> None:
        super().__init__(allow_missing=True)

    def after_load_checkpoint(self, runner, checkpoint) -> None:
        """Take the layers of other classes out of what is about to be loaded.

        Args:
            runner (Runner): The runner of the process.
            checkpoint (dict): What is about to be loaded, changed in place.

        Raises:
            ValueError: If something else has another shape.
            MissingWeightsError: If nothing of it fits, as the loading that
                follows finds out.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        weights = checkpoint.get('state_dict', checkpoint)
        kept, new = without_heads(weights, model)
        for name, *_ in new:
            del weights[name]
        for line in new_lines(new):
            runner.logger.info(line)
        super().after_load_checkpoint(runner, checkpoint)

    def _check(self, wanted, counts):
        if set(self.empty) == wanted:
            theirs = sorted(counts.keys() - wanted)
            raise MissingWeightsError(
                'nothing of load_from fits the model, which has '
                f'{", ".join(sorted(wanted))}; the file has '
                f'{listed(theirs) or "these in other shapes"}. Weights of a '
                'backbone alone go to init_cfg=dict(type=\'Pretrained\', '
                'checkpoint=…) of the backbone')


def _part(key):
    return key.partition('.')[0]


@master_only
def _print(counts):
    """Print the table, or one line where everything was loaded."""
    outcomes = ('loaded', 'missing', 'of another shape', 'left over')
    total = sum(counts.values(), Counter())
    if set(total) == {'loaded'}:
        print(f'all {total["loaded"]} weights loaded')
        return
    print_table([{
        'weights of': part,
        **{outcome: count[outcome] for outcome in outcomes}
    } for part, count in counts.items()])
