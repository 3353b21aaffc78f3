"""A trained model of other classes gives all but its classifying layers."""
import pytest
import torch
from conftest import CLS_CONFIG, DEMO, SEG_CONFIG

from sb_mm.checkpoints import without_heads

DETECTOR = f"""
_base_ = {str(DEMO)!r}
metainfo = dict(classes=('disc_orange', 'square_blue'))
train_dataloader = dict(dataset=dict(metainfo=metainfo))
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = val_dataloader
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=2), mask_head=dict(num_classes=2)))
optim_wrapper = dict(optimizer=dict(lr=0, weight_decay=0))
"""
SEGMENTOR = f"""
_base_ = {str(SEG_CONFIG)!r}
metainfo = dict(classes=('background', 'disc_orange'))
train_dataloader = dict(dataset=dict(metainfo=metainfo))
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = val_dataloader
loss = dict(class_weight=None)
model = dict(
    decode_head=dict(num_classes=2, loss_decode=loss),
    auxiliary_head=dict(num_classes=2, loss_decode=loss))
optim_wrapper = dict(optimizer=dict(lr=0, weight_decay=0))
"""
NEW = dict(
    detector={
        f'roi_head.{name}.{kind}'
        for name in ('bbox_head.fc_cls', 'bbox_head.fc_reg',
                     'mask_head.conv_logits') for kind in ('weight', 'bias')
    },
    segmentor={
        f'{head}.conv_seg.{kind}' for head in ('decode_head', 'auxiliary_head')
        for kind in ('weight', 'bias')
    })


@pytest.fixture(params=['detector', 'segmentor'])
def task(request, tmp_path, tiny, trained, tiny_seg, trained_seg):
    """A config of two classes, its options, a checkpoint of other classes and
    the names that are new."""
    config = tmp_path / 'two_classes.py'
    if request.param == 'detector':
        config.write_text(DETECTOR)
        return config, tiny, trained / 'iter_4.pth', NEW['detector']
    config.write_text(SEGMENTOR)
    return config, tiny_seg, trained_seg / 'iter_4.pth', NEW['segmentor']


def weights_of(path):
    return torch.load(path, weights_only=False)['state_dict']


def test_load_from(task, run_tool, tmp_path):
    config, options, checkpoint, new = task
    result = run_tool('train.py', config, '--work-dir', 'work',
                      '--cfg-options', *options, f'load_from={checkpoint}',
                      'train_cfg.max_iters=1',
                      'default_hooks.checkpoint.interval=1')
    assert not result.returncode, result.stdout
    for name in new:
        assert f'new: {name}, (' in result.stdout
    assert result.stdout.count('- new: ') == len(new)
    before, after = weights_of(checkpoint), weights_of(
        tmp_path / 'work/iter_1.pth')
    for name, value in before.items():  # the learning rate is 0
        if name not in new and 'running' not in name and 'num_b' not in name:
            assert torch.equal(after[name], value), name


def test_weights_of_a_backbone_are_no_model(run_tool, tiny_cls, trained_cls,
                                            tmp_path):
    torch.save({name.removeprefix('backbone.'): value
                for name, value in weights_of(trained_cls / 'iter_4.pth').items()
                if name.startswith('backbone.')}, tmp_path / 'backbone.pth')
    result = run_tool('train.py', CLS_CONFIG, '--work-dir', 'work',
                      '--cfg-options', *tiny_cls, 'load_from=backbone.pth')
    assert result.returncode == 2
    assert ('error: nothing of load_from fits the model, which has backbone, '
            'head; the file has bn1, conv1, layer1, ') in result.stdout
    assert "init_cfg=dict(type='Pretrained'" in result.stdout


def test_converted(task, run_tool, tmp_path, trained):
    config, options, checkpoint, new = task
    # one without SB, as somebody has it
    plain = {
        name: value[:, :-3] if name.endswith('conv2.weight') and
        name.replace('conv2.weight', 'spatial_bias.mix.weight') in
        weights_of(checkpoint) else value
        for name, value in weights_of(checkpoint).items()
        if '.spatial_bias.' not in name
    }
    torch.save(dict(meta=dict(dataset_meta=dict(classes=('old', ))),
                    state_dict=plain), tmp_path / 'plain.pth')
    whole = tmp_path / 'whole.py'
    whole.write_text(config.read_text() + '\n'.join(
        f'model.update({key}=dict(model.get({key!r}, {{}}), **{value}))'
        for key, value in dict(
            backbone=dict(depth=18, stem_channels=8, base_channels=8,
                          init_cfg=None),
            **(dict(neck=dict(in_channels=[8, 16, 32, 64]))
               if 'roi_head' in config.read_text() else dict(
                   decode_head=dict(in_channels=[8, 16, 32, 64]),
                   auxiliary_head=dict(in_channels=32)))).items()))
    command = ('convert_checkpoint.py', 'plain.pth', 'new.pth', '--to', 'sb',
               '--config', whole)
    result = run_tool(*command)
    assert result.returncode == 2 and '--new-heads' in result.stdout
    result = run_tool(*command, '--new-heads')
    assert not result.returncode, result.stdout
    for name in new:
        assert f'new: {name}, (' in result.stdout
    converted = torch.load(tmp_path / 'new.pth', weights_only=False)
    assert not new & converted['state_dict'].keys()
    assert 'dataset_meta' not in converted['meta']
    for name, value in plain.items():
        if name not in new:
            own = converted['state_dict'][name]
            if own.dim() > 1:
                own = own[:, :value.size(1)]
            assert torch.equal(own, value)


def test_more_than_another_number_of_classes():
    net = torch.nn.ModuleDict(dict(head=torch.nn.Linear(4, 2)))
    given = dict(net.state_dict(), **{'head.weight': torch.zeros(3, 5)})
    with pytest.raises(ValueError, match='more than another number'):
        without_heads(given, net)
