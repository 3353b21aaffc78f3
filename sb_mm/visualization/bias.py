"""The bias maps that a trained network adds to its blocks."""
from statistics import mean
from typing import List, Optional, Sequence

from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import VISUALIZERS

from ..utils.table import write_table
from .bias_pictures import stages
from ..models.bias_effects import backbone_of, measure, sb_blocks
from ..apis.checks import check_checkpoint, tested_dataset
from ..apis.data_checks import DataError, name_unreadable_files
from ..apis.labelled_data import reads_annotations
from ..apis.model import build_model, load_weights
from ..apis.pictures import find_pictures


def show_bias(config: str,
              checkpoint: str,
              images: Sequence[str],
              out: str = 'work_dirs/bias',
              vis_backends: Sequence[str] = ('LocalVisBackend', ),
              cfg_options: Optional[dict] = None,
              trust: bool = False) -> List[dict]:
    """Draw the bias maps of every SB block over images, and measure what the
    blocks would do without.

    A picture for each image and stage has a row for each block and a column
    for each map. The effect of a block's bias is
    ``‖y - y₀‖ / ‖y‖`` of the block's output y and the output y₀ with its maps
    set to zero, the input being the same.

    Args:
        config (str): Config file of the model.
        checkpoint (str): Its weights.
        images (list[str]): Images, folders of images, and patterns such as
            'photos/**/*.jpg'.
        out (str): Folder for the pictures, ``table.md`` and ``table.csv``.
            Defaults to 'work_dirs/bias'.
        vis_backends (Sequence[str]): MMEngine's backends that the pictures
            and effects go to. Defaults to files.
        cfg_options (dict, optional): Settings to override. Defaults to None.
        trust (bool): Whether to read a checkpoint with more than weights in
            it, which can run code. Defaults to False.

    Returns:
        list[dict]: For each image and block the largest value of its maps and
        the effect; for several images their mean. An image that cannot be
        read says so in its ``status``.

    Raises:
        InputError: If the config, the checkpoint or an image does not exist.
        ValueError: If the model has no SB block.
    """
    pictures = find_pictures(images)
    check_checkpoint(checkpoint)
    cfg, model = build_model(config, cfg_options)
    backbone = backbone_of(model)
    blocks = sb_blocks(backbone)
    if not blocks:
        raise ValueError(f'the model of {config} has no SB block')
    pipeline = Compose([
        transform for transform in tested_dataset(cfg)['pipeline']
        if not reads_annotations(transform)
    ])
    load_weights(model, checkpoint, trust)
    name_unreadable_files(cfg.default_scope)
    visualizer = VISUALIZERS.build({
        **cfg.visualizer, 'name': f'bias of {out}',
        'save_dir': out,
        'vis_backends': [dict(type=name) for name in vis_backends]
    })

    rows, found = [], []
    for step, (path, name) in enumerate(pictures):
        # MMDetection's samples want an id
        try:
            data = pseudo_collate(
                [pipeline(dict(img_path=str(path), img_id=step))])
        except DataError as error:
            rows.append(dict(image=str(name), status=str(error)))
            continue
        inputs = model.data_preprocessor(data)['inputs']
        maps, effects = measure(backbone, blocks, inputs)
        found.append(effects)
        for stage, picture in stages(inputs[0], maps, effects):
            visualizer.add_image(f'{name.stem}_{stage}', picture, step)
        visualizer.add_scalars(
            {f'effect/{block}': value for block, value in effects.items()},
            step)
        rows += [{
            'image': str(name),
            'block': block,
            'largest value': f'{maps[block].max():.2f}',
            'effect (ratio)': f'{effects[block]:.3f}',
            'status': 'ok'
        } for block in blocks]
    visualizer.close()
    if len(found) > 1:
        rows += [{
            'image': f'mean of {len(found)}',
            'block': block,
            'effect (ratio)': f'{mean(each[block] for each in found):.3f}',
            'status': 'ok'
        } for block in blocks]
    write_table(rows, out)
    return rows
