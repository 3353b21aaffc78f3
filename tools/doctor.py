#!/usr/bin/env python3
"""Say what is installed, what is wrong with it and what to do, in a form to
paste into an issue. It needs nothing but Python."""
import os
import platform
import sys
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path
from runpy import run_path

# of a checkout, or of an installed package, where tools are in sb_mm/.mim
COMPAT = next(
    path for path in (Path(__file__).parents[1] / 'sb_mm' / 'compat.py',
                      Path(__file__).parents[2] / 'compat.py')
    if path.is_file())
PARTS = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmseg',
         'mmpretrain', 'cv2', 'numpy', 'pycocotools', 'sb_mm')


def main():
    compat = run_path(str(COMPAT))
    problems = []
    say('system', f'{platform.platform()}, {platform.machine()}, '
        f'{processor()}, {len(os.sched_getaffinity(0))} cores')
    say('Python', f'{platform.python_version()}, {sys.executable}')
    if not (compat['PYTHONS'][0] <= sys.version_info[:2] <=
            compat['PYTHONS'][-1]):
        problems.append('Python {}.{} to {}.{} is supported'.format(
            *compat['PYTHONS'][0], *compat['PYTHONS'][-1]))
    owners = packages_distributions()
    for name in PARTS:
        found = sorted(set(owners.get(name, ())))
        text = ', '.join(f'{each} {version(each)}' for each in found)
        if len(found) > 1:
            problems.append(f'{name} is installed {len(found)} times ('
                            f'{text}), each over the files of the others; '
                            'uninstall all of them, then install one')
        try:
            import_module(name)
        except ImportError as error:
            text = f'{text or "not installed"} (cannot be imported: {error})'
            toolboxes = compat['TOOLBOXES']
            if found or name not in toolboxes:
                problems.append(f'{name} cannot be imported: {error}')
        say(name, text or 'importable, but not installed')
    try:
        problems += compat['_out_of_range']()
        operators()
        say('operators of mmcv', 'give the right numbers')
    except Exception as error:
        say('operators of mmcv', f'{type(error).__name__}: {error}')
        problems.append('the operators of mmcv do not work; build mmcv '
                        'against this PyTorch (README, "Installing without '
                        'make")')
    devices()
    for problem in problems:
        print(f'problem: {problem}')
    print(f'{len(problems)} problems found' if problems else 'no problem found')
    return bool(problems)


def say(name, value):
    print(f'{name}: {value}')


def processor():
    path = Path('/proc/cpuinfo')
    for line in path.read_text().splitlines() if path.is_file() else ():
        if line.startswith('model name'):
            return line.partition(': ')[2]
    return platform.processor() or 'unknown processor'


def operators():
    """NMS, RoIAlign and a deformable convolution against known values."""
    import torch
    from mmcv.ops import DeformConv2d, nms, roi_align
    boxes = torch.tensor([[0., 0., 10., 10.], [1., 1., 10., 10.],
                          [20., 20., 30., 30.]])
    kept = nms(boxes, torch.tensor([.9, .8, .7]), .5)[1]
    assert kept.tolist() == [0, 2], f'nms kept {kept.tolist()}'
    ramp = torch.arange(16.).view(1, 1, 1, 16).expand(1, 1, 16, 16)
    pooled = roi_align(ramp.contiguous(), torch.tensor([[0, 4., 4., 8., 8.]]),
                       1, 1., 0, 'avg', True)
    assert abs(pooled.item() - 5.5) < 1e-4, f'roi_align gave {pooled.item()}'
    conv = DeformConv2d(1, 1, 3, padding=1)
    x = torch.rand(1, 1, 8, 8)
    same = torch.nn.functional.conv2d(x, conv.weight, padding=1)
    given = conv(x, torch.zeros(1, 18, 8, 8))
    assert torch.allclose(given, same, atol=1e-5), 'DeformConv2d is wrong'


def devices():
    try:
        import torch
    except ImportError:
        return
    found = [
        torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
    ]
    say('GPUs', ', '.join(found) or 'none that PyTorch can use')
    say('CUDA of PyTorch', torch.version.cuda or 'none')
    say('instructions of the CPU', torch.backends.cpu.get_cpu_capability())
    if ' ' in torch.__file__:
        say('torch.compile', 'cannot build for the CPU: PyTorch does not quote '
            'its own path, which has a space')
    if 'sb_mm' in sys.modules:
        from sb_mm.allocator import allocator
        say('allocator', allocator())


if __name__ == '__main__':
    if len(sys.argv) > 1:
        print(f'usage: {sys.argv[0]}\n\n{__doc__}')
        sys.exit(sys.argv[1] not in ('-h', '--help'))
    sys.exit(main())
