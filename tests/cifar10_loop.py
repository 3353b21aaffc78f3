#!/usr/bin/env python3
"""CIFAR-10 in a plain PyTorch loop: no config, no runner, no data pipeline of a
toolbox; on a GPU where there is one. What configs/benchmarks/cifar10 gives has to
agree with it:

    python tests/cifar10_loop.py data/cifar10 --depth 20 --sb --seed 0 > loop.csv
"""
import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.functional import pil_to_tensor

from sb_mm.allocator import reuse_memory
from sb_mm.models.mmpretrain_resnet import SBResNet_CIFAR

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
MEAN = torch.tensor([125.307, 122.961, 113.8575]).view(3, 1, 1).to(DEVICE)
STD = torch.tensor([51.5865, 50.847, 51.255]).view(3, 1, 1).to(DEVICE)


def read(folder):
    """Images (N, 3, 32, 32), uint8, and labels (N,) of a folder of classes."""
    paths = sorted(folder.glob('*/*'))
    classes = sorted({path.parent.name for path in paths})
    images = torch.stack([pil_to_tensor(Image.open(p)) for p in paths])
    labels = torch.tensor([classes.index(p.parent.name) for p in paths])
    return images.to(DEVICE), labels.to(DEVICE)


def augment(images):
    """Crops of images with a border of 2 mirrored pixels, half of them flipped."""
    padded = F.pad(images.float(), [2] * 4, mode='reflect')
    y, x = torch.randint(5, (len(images), 2)).t()
    views = padded.unfold(2, 32, 1).unfold(3, 32, 1)  # N, 3, 5, 5, 32, 32
    crops = views[torch.arange(len(images)), :, y, x]
    flip = torch.rand(len(images)) < .5
    crops[flip] = crops[flip].flip(3)
    return crops


class Classifier(nn.Module):
    """Network of the paper, mean over the positions, one linear layer."""

    def __init__(self, depth, sb, widths=256):
        super().__init__()
        self.backbone = SBResNet_CIFAR(depth, sb_stages=(sb, ) * 3)
        self.fc = nn.Linear(widths, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
        nn.init.normal_(self.fc.weight, std=.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, images):
        images = ((images - MEAN) / STD).contiguous(
            memory_format=torch.channels_last)
        return self.fc(self.backbone(images)[-1].mean((2, 3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--depth', type=int, default=20)
    parser.add_argument('--sb', action='store_true')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=int, default=24)
    args = parser.parse_args()
    reuse_memory()
    torch.manual_seed(args.seed)
    images, labels = read(args.data / 'train')
    test_images, test_labels = read(args.data / 'test')
    net = Classifier(args.depth, args.sb).to(
        DEVICE, memory_format=torch.channels_last)
    steps = args.epochs * -(-len(images) // 128)
    optimizer = torch.optim.SGD(
        net.parameters(), .2, .9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, .2, total_steps=steps, cycle_momentum=False,
        pct_start=.2, anneal_strategy='linear')
    print('epoch,training loss,top-1,seconds', flush=True)
    for epoch in range(args.epochs):
        start, losses = time.time(), []
        net.train()
        for chosen in torch.randperm(len(images)).split(128):
            with torch.autocast(DEVICE, torch.bfloat16):
                loss = F.cross_entropy(
                    net(augment(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        net.eval()
        with torch.no_grad():
            right = sum((net(x).argmax(1) == y).sum().item() for x, y in zip(
                test_images.split(250), test_labels.split(250)))
        print(
            f'{epoch + 1},{sum(losses) / len(losses):.3f},'
            f'{100 * right / len(test_labels):.2f},'
            f'{time.time() - start:.0f}',
            flush=True)


if __name__ == '__main__':
    main()
