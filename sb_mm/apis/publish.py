"""Hand on what a run has learnt."""
from hashlib import sha256
from pathlib import Path
from typing import Optional, Union

import torch
import yaml
from mmengine.config import Config

from ..analysis.work_dirs import PERCENT, Run
from ..compat import CONFIGS
from ..utils.checkpoint_file import checked_weights, read_checkpoint
from ..utils.scratch_file import scratch_file
from ..version import __version__

#: Task and name that metafiles of OpenMMLab have for a metric.
_RESULTS = {
    'box AP': ('Object Detection', 'box AP'),
    'mask AP': ('Instance Segmentation', 'mask AP'),
    'mIoU': ('Semantic Segmentation', 'mIoU'),
    'top-1': ('Image Classification', 'Top 1 Accuracy')
}
#: Settings that tell of the machine of the run.
_OF_THE_MACHINE = ('work_dir', 'load_from', 'resume', 'launcher')


def publish(work_dir: Union[str, Path],
            out: Union[str, Path],
            dataset: str,
            url: Optional[str] = None) -> str:
    """Write the last weights of a run to a file for others, and describe them.

    The file has the weights, the config and the classes; state of the optimizer,
    log and the folders of the run are left out. Its name ends in the first eight
    digits of its SHA-256, as ``torch.hub`` has it and OpenMMLab's files do.

    Args:
        work_dir (str or Path): Of a finished run, tested by ``tools/test.py`` or
            ``tools/run_matrix.py --test``.
        out (str or Path): Folder for the file.
        dataset (str): Name of the data set in the metafile, such as 'CIFAR-10'.
        url (str, optional): Where the file will be found, without its name.
            Defaults to ``out``.

    Returns:
        str: The entry of a metafile, YAML.

    Raises:
        FileNotFoundError: If it is no work dir of a training run.
        ValueError: If the run is not finished or not tested, or has values that
            are not finite.
    """
    run, out = Run(Path(work_dir)), Path(out)
    if run.status != 'finished' or not run.tested:
        raise ValueError(
            f'{work_dir} is '
            f'{"not tested" if run.status == "finished" else run.status}: '
            f'tools/test.py CONFIG CHECKPOINT --work-dir {work_dir} tests the '
            'weights of a finished run')
    checkpoint = read_checkpoint(run.weights)
    weights = checked_weights(checkpoint['state_dict'], run.weights)
    settings = run.experiment
    for key in _OF_THE_MACHINE:
        settings.pop(key, None)
    meta = dict(
        cfg=Config(settings).pretty_text,
        dataset_meta=checkpoint['meta'].get('dataset_meta'),
        seed=run.seed,
        sb_mm_version=__version__)

    with scratch_file(out / f'{run.name}.pth') as scratch:
        torch.save(dict(meta=meta, state_dict=weights), scratch)
        digest = sha256(scratch.read_bytes()).hexdigest()[:8]
        file = scratch.replace(out / f'{run.name}-{digest}.pth')

    # parameters and multiply-adds, where they can be counted
    complexity = dict(zip(('Parameters', 'FLOPs'), run.count_complexity() or ()))
    # several folders have configs of one name
    found = list(CONFIGS.rglob(f'{run.name}.py'))
    config = (found[0].relative_to(CONFIGS.parent)
              if len(found) == 1 else f'{run.name}.py')
    entry = {
        'Name': run.name,
        'In Collection': 'Spatial Bias',
        'Config': str(config),
        'Metadata': {
            'Training Data': dataset,
            f'{run.unit}s'.title(): run.planned,
            **complexity
        },
        'Results': _results(run, dataset),
        'Weights': f'{url.rstrip("/")}/{file.name}' if url else str(file)
    }
    return yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)


def _results(run, dataset):
    """list[dict]: The metrics of a run, in percent and by task; where none has
    a name in the field, all of them as they are."""
    return [
        dict(Task=task, Dataset=dataset, Metrics={
            name: round(run.last[metric] * (1 if metric in PERCENT else 100), 2)
        }) for metric, (task, name) in _RESULTS.items() if metric in run.last
    ] or [
        dict(Dataset=dataset, Metrics={
            name: round(run.last[name], 4) for name in run.metric_names
        })
    ]
