"""Throughput and memory of networks, side by side."""
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import List, Optional, Sequence, Tuple

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.registry import MODELS, init_default_scope
from rich.progress import Progress
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer

from ..allocator import allocator, reuse_memory
from ..apis.checks import backbone_cfg, check_at_least, read_config
from ..apis.errors import describe
from ..engine import to_channels_last
from .complexity import count_flops
from ..utils.picture import network_styles, subplots
from ..utils.table import write_table

DTYPES = dict(
    float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)


def benchmark(configs: Sequence[str],
              mode: str = 'infer',
              sizes: Sequence[Tuple[int, int]] = ((224, 224), ),
              batch_size: int = 1,
              whole: bool = False,
              device: str = 'cpu',
              dtype: str = 'float32',
              channels_last: bool = False,
              compile: bool = False,
              fuse: bool = False,
              graph: bool = False,
              threads: Optional[int] = None,
              rounds: int = 15,
              out: Optional[str] = None) -> List[dict]:
    """Measure the networks of configs in one process, taking turns.

    Every round runs each network once, in turn, so that whatever else the
    machine does meets all of them. The median over the rounds counts; the
    spread is the range of the middle half.

    Args:
        configs (list[str]): Config files; ratios are to the first.
        mode (str): 'infer', or 'train' for a step of forward, backward and
            SGD. Defaults to 'infer'.
        sizes (Sequence[tuple[int, int]]): Heights and widths of the images in
            pixels. Defaults to ((224, 224), ).
        batch_size (int): Images in a batch. Defaults to 1.
        whole (bool): Whether to run the whole model instead of the backbone,
            all with the weights of the first where they fit. Defaults to
            False.
        device (str): 'cpu' or 'cuda'. Defaults to 'cpu'.
        dtype (str): float32, or bfloat16 or float16 by autocast.
        channels_last (bool): Memory format. Defaults to False.
        compile (bool): Whether to use ``torch.compile``. Defaults to False.
        fuse (bool): Whether to fold BN into the convolutions, for 'infer'.
            Defaults to False.
        graph (bool): Whether to replay a CUDA graph, for 'infer'. Defaults to
            False.
        threads (int, optional): CPU threads. Defaults to None, PyTorch's own.
        rounds (int): Number of rounds. Defaults to 15.
        out (str, optional): Folder to write ``table.md``, ``table.csv``,
            ``results.json`` and ``chart.png`` to. Defaults to None.

    Returns:
        list[dict]: A row for each size and config. One that cannot be built
        or run says why in its ``status``; without the first there are no
        ratios.

    Raises:
        InputError: If a number is too small.
        ValueError: If the settings do not go together.
    """
    check_at_least(1, batch_size=batch_size, threads=threads, rounds=rounds,
                   sizes=min(map(min, sizes)))
    if mode == 'train' and (fuse or graph):
        raise ValueError('--fuse and --graph go with --mode infer')
    if graph and device != 'cuda':
        raise ValueError('--graph needs --device cuda')
    reuse_memory()
    if threads:
        torch.set_num_threads(threads)
    settings = dict(
        mode=mode,
        batch_size=batch_size,
        whole=whole,
        device=device,
        dtype=dtype,
        channels_last=channels_last,
        compile=compile,
        fuse=fuse,
        graph=graph)
    described = dict(
        settings,
        device=(torch.cuda.get_device_name()
                if device == 'cuda' else f'{device}, {_processor()}'),
        instructions=torch.backends.cpu.get_cpu_capability(),
        allocator=allocator(),
        threads=torch.get_num_threads(),
        rounds=rounds,
        torch=torch.__version__)
    rows = []
    with Progress(transient=True) as progress:
        for size in sizes:
            networks, failed = [], {}
            for i, config in enumerate(configs):
                first = networks[0] if networks else None
                try:
                    network = _Network(config, size, first, **settings)
                    network.run(), network.run()  # warm up
                except Exception as error:
                    failed[i] = {
                        'config': Path(config).stem,
                        'size (px)': '{}×{}'.format(*size),
                        'status': f'failed: {describe(error)}'
                    }
                    continue
                networks.append(network)
                if config in configs[:i]:  # against itself: the noise
                    network.name += ' again'
            task = progress.add_task('{}×{}'.format(*size), total=rounds)
            for _ in range(rounds):
                for network in networks:
                    network.measure()
                progress.advance(task)
            measured = iter(networks)
            reference = None if 0 in failed else networks[0]
            rows += [
                failed.get(i) or next(measured).row(reference)
                for i in range(len(configs))
            ]
            del networks, measured, reference
            if out:  # after each size: an interruption loses one at most
                _write(rows, described, Path(out))
    print(
        ', '.join(f'{key}: {value}' for key, value in described.items()),
        file=sys.stderr)
    return rows


def _write(rows, settings, out):
    write_table(rows, out)
    (out / 'results.json').write_text(
        json.dumps(dict(settings=settings, rows=rows), indent=1))
    if any(row.get('ratio to the first') for row in rows):
        _draw(rows, out / 'chart.png')


class _Network:
    """A network, ready to run on one batch."""

    def __init__(self, config, size, first, mode, batch_size, whole, device,
                 dtype, channels_last, compile, fuse, graph):
        dtype = DTYPES[dtype]
        self.name = Path(config).stem
        self.size, self.batch_size, self.device = size, batch_size, device
        self.times = []
        cfg = read_config(config)
        init_default_scope(cfg.default_scope)
        model = MODELS.build(cfg.model if whole else backbone_cfg(cfg))
        if whole:
            self.weights = model.state_dict()
            if first:
                _copy_weights(first, self.name, model)
        model.train(mode == 'train')
        self.parameters = sum(p.numel() for p in model.parameters())
        kwargs = {}
        if whole:
            kwargs = _samples(cfg, batch_size, size)
            self.flops = ''
        else:
            self.flops = count_flops(model, (3, *size))
        if fuse:
            model = fuse_conv_bn(model)
        model = model.to(device)
        x = torch.rand(batch_size, 3, *size, device=device)
        if channels_last:
            to_channels_last(model)
            x = x.to(memory_format=torch.channels_last)
        forward = torch.compile(model) if compile else model
        cast = (
            nullcontext() if dtype == torch.float32 else torch.autocast(
                device, dtype))

        def infer():
            with torch.no_grad(), cast:
                return forward(x, **kwargs)

        def train():
            with cast:
                outs = forward(x, **kwargs)
            sum(out.float().mean() for out in _tensors(outs)).backward()
            optimizer.step()
            optimizer.zero_grad()

        if mode == 'train':
            optimizer = torch.optim.SGD(
                [p for p in model.parameters() if p.requires_grad],
                lr=1e-4,
                momentum=.9)
        self.run = _replay(infer) if graph else dict(
            infer=infer, train=train)[mode]
        self.timer = Timer(
            'run()',
            globals=dict(run=self.run),
            num_threads=torch.get_num_threads())

    def measure(self):
        self.times.append(self.timer.timeit(1).median)

    def row(self, first):
        times = sorted(self.times)
        quarter = len(times) // 4
        own = median(times)
        memory, ratio, memory_ratio = self.peak_memory(), '', ''
        if first:
            # pairs of one round met the same machine
            ratio = round(median(
                b / a for a, b in zip(self.times, first.times)), 3)
            if first.peak_memory():  # a replayed graph allocates nothing
                memory_ratio = round(memory / first.peak_memory(), 3)
        return {
            'config': self.name,
            'size (px)': '{}×{}'.format(*self.size),
            'images/s': round(self.batch_size / own, 3),
            'spread (%)':
            round(100 * (times[-1 - quarter] - times[quarter]) / own, 1),
            'ratio to the first': ratio,
            'peak memory (MB)': round(memory / 1e6, 1),
            'memory ratio': memory_ratio,
            'parameters': self.parameters,
            'multiply-adds': self.flops,
            'status': 'ok'
        }

    def peak_memory(self):
        """int: Bytes that one run allocates at most at a time."""
        if hasattr(self, '_peak'):
            return self._peak
        if self.device == 'cuda':
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            self.run()
            self._peak = torch.cuda.max_memory_allocated() - before
        else:
            with profile(
                    activities=[ProfilerActivity.CPU],
                    profile_memory=True) as profiler:
                self.run()
            events = profiler.profiler.kineto_results.events()
            total = self._peak = 0
            for event in sorted((e for e in events if e.name() == '[memory]'),
                                key=_start):
                total += event.nbytes()
                self._peak = max(self._peak, total)
        return self._peak


def _start(event):
    # PyTorch before 2.4 has microseconds
    return event.start_ns() if hasattr(event, 'start_ns') else event.start_us()


def _copy_weights(first, name, model):
    """Give a whole model the weights of the first, so that a detector has the
    same boxes to work on; what the first does not have computes nothing yet
    in all our configs."""
    try:
        model.load_state_dict(first.weights, strict=False)
    except (RuntimeError, ValueError):
        print(
            f'{name} does not fit all weights of {first.name}: their '
            'numbers of boxes may differ',
            file=sys.stderr)


def _replay(run):
    """A function that replays what ``run`` does on the GPU."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()

    def replay(keep=run):  # what the graph reads belongs to run
        graph.replay()

    return replay


def _samples(cfg, batch_size, size):
    """What the forward pass of a whole model needs beside the images."""
    if cfg.default_scope != 'mmdet':
        return {}
    from mmdet.testing import demo_mm_inputs
    samples = demo_mm_inputs(batch_size, [[3, *size]] * batch_size)
    return dict(data_samples=samples['data_samples'])


def _tensors(outs):
    if torch.is_tensor(outs):
        yield outs
    elif isinstance(outs, (list, tuple)):
        for out in outs:
            yield from _tensors(out)


def _processor():
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':')[1].strip()
    return 'unknown processor'


def _draw(rows, path):
    found = {  # not all have every size
        (row['config'], row['size (px)']): row
        for row in rows if row.get('ratio to the first')
    }
    names, sizes = (list(dict.fromkeys(each)) for each in zip(*found))
    columns = 1 + (len(sizes) > 1)
    figure, (axes, ) = subplots(
        1, columns, (7 * columns, .35 * len(names) * len(sizes) + 2))
    for j, size in enumerate(sizes):
        there = {i: found[name, size] for i, name in enumerate(names)
                 if (name, size) in found}
        bars = axes[0].barh(
            [i + .8 * j / len(sizes) for i in there],
            [row['ratio to the first'] for row in there.values()],
            height=.75 / len(sizes), label=f'{size} px')
        axes[0].bar_label(
            bars, fmt='%.3f', fontsize=9, padding=4,  # before the line at 1
            bbox=dict(facecolor='white', edgecolor='none', pad=.5))
    axes[0].set_yticks([i + .4 - .4 / len(sizes) for i in range(len(names))],
                       names)
    axes[0].invert_yaxis()
    axes[0].axvline(1, color='black', linewidth=1)
    axes[0].set(
        title='Speed relative to the first', xlim=(0, 1.25),
        xlabel=f'images/s over those of\n{names[0]} (ratio)')
    figure.legend(*axes[0].get_legend_handles_labels(),
                  loc='outside lower left', ncols=len(sizes))
    if columns == 2:
        styles = network_styles(names)
        for name in names:
            there = {j: found[name, size] for j, size in enumerate(sizes)
                     if (name, size) in found}
            axes[1].plot(
                list(there), [row['images/s'] for row in there.values()],
                label=name, **styles[name])
        axes[1].set_xticks(range(len(sizes)), sizes)
        axes[1].set(
            title='Speed by size', xlabel='size of the image (px)',
            ylabel='images/s (logarithmic)', yscale='log')
        axes[1].yaxis.set_major_formatter('{x:g}')
        axes[1].yaxis.set_minor_formatter('{x:g}')
        axes[1].legend(fontsize='small')
        axes[1].grid(alpha=.3, which='both')
    figure.savefig(path)
