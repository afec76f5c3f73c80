"""Trains a small SSD."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from streamdet.errors import HardwareError, UsageError
from streamdet.inference.providers import available_cpus
from streamdet.model_spec.default_boxes import grid_boxes_cxcywh
from streamdet.models.recognise import IMAGENET_NORMALIZATION
from streamdet.train.assign import default_boxes_of
from streamdet.train.batches import Batch, Batches
from streamdet.train.loss import ssd_loss
from streamdet.train.network import SmallSsd
from streamdet.train.samples import Samples

_WARM_UP = 0.03
_LAST_RATE = 0.01
_WEIGHT_DECAY = 0.02
_MEMORY = 0.998
_CALM = 0.15
"""Share of the epochs at the end in which few pictures are moved: the network settles on pictures as they come."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: how often every picture is seen.
        batch: pictures per step.
        rate: highest learning rate.
        seed: everything follows from it, up to the rounding of sums.
        device: "cpu", "cuda" or another of PyTorch's; "auto" takes CUDA where it is.
        threads: of PyTorch on a CPU, and as many that make batches; 0 takes all processors.
    """

    epochs: int = 12
    batch: int = 32
    rate: float = 2e-3
    seed: int = 0
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far training is.

    Attributes:
        done: steps.
        total: steps in all.
        epoch: the current one, from 1.
        score_loss: of the last steps, on the average.
        box_loss: of the last steps, on the average.
    """

    done: int
    total: int
    epoch: int
    score_loss: float
    box_loss: float


def train(
    network: SmallSsd,
    samples: Samples,
    recipe: Recipe,
    on_step: Callable[[TrainingProgress], None] = lambda step: None,
    on_epoch: Callable[[SmallSsd], None] = lambda network: None,
) -> SmallSsd:
    """Trains a network and returns the running mean of its weights, which finds more than the last ones do.

    Args:
        network: starts from the weights it has; changed.
        samples: to learn from.
        recipe: how.
        on_step: told after each step.
        on_epoch: given the mean after each epoch.

    Raises:
        UsageError: there is too little in a batch to normalise by, or the steps are so long that nothing is learned.
        HardwareError: there is no such device.
    """
    if min(recipe.batch, len(samples)) * min(grid.columns * grid.rows for grid in network.plan.grids) < 2:
        size = f"{network.plan.width}x{network.plan.height}"
        raise UsageError(
            f"one picture of {size} at a time is too little to learn from: give a larger --size or --batch"
        )
    torch.manual_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    device = device_of(recipe.device)
    network.to(device, memory_format=torch.channels_last).train()
    mean: SmallSsd = copy.deepcopy(network).eval()
    makers = recipe.threads or max(2, available_cpus())
    batches = Batches(samples, default_boxes_of(network.plan.grids), recipe.batch, recipe.seed, makers)
    total = recipe.epochs * len(batches)
    optimizer = torch.optim.AdamW(_groups(network), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / total))
    feed = _Feed(network, device)
    done, losses = 0, (0.0, 0.0)
    for epoch in range(1, recipe.epochs + 1):
        moved = 0.5 if epoch <= round(recipe.epochs * (1 - _CALM)) else 0.1
        for batch in batches.epoch(epoch, moved):
            scores, boxes = feed(batch)
            lost = float(scores.detach()), float(boxes.detach())
            if not all(map(math.isfinite, lost)):
                raise UsageError(f"the loss is no number any more after {done} steps: give a lower learning rate")
            optimizer.zero_grad()
            (scores + boxes).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            done += 1
            _follow(mean, network, min(_MEMORY, done / (done + 20)))
            share = max(0.02, 1 / done)
            losses = losses[0] + share * (lost[0] - losses[0]), losses[1] + share * (lost[1] - losses[1])
            on_step(TrainingProgress(done, total, epoch, *losses))
        on_epoch(mean)
    return mean


def device_of(name: str) -> torch.device:
    """Returns the device of that name.

    Raises:
        HardwareError: there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):  # PyTorch built without CUDA asserts
        raise HardwareError(f"PyTorch has no device {name!r} here: use auto or cpu") from None
    return device


class _Feed:
    """Runs batches through a network and its loss."""

    def __init__(self, network: SmallSsd, device: torch.device) -> None:
        self._network, self._device = network, device
        self._priors = torch.from_numpy(grid_boxes_cxcywh(network.plan.grids)).to(device)
        self._offset, self._scale = (
            torch.tensor(IMAGENET_NORMALIZATION[key], device=device).view(1, 3, 1, 1) for key in ("mean", "std")
        )

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pictures, labels, boxes = (torch.from_numpy(part).to(self._device) for part in batch)
        image = (pictures.permute(0, 3, 1, 2).float() - self._offset) / self._scale
        loc, conf = self._network(image.contiguous(memory_format=torch.channels_last))
        return ssd_loss(loc, conf, labels, boxes, self._priors)


def _groups(network: SmallSsd) -> list[dict[str, object]]:
    """Returns kernels, which decay, and the rest, which does not."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim == 4]
    rest = [parameter for parameter in network.parameters() if parameter.ndim != 4]
    return [{"params": kernels, "weight_decay": _WEIGHT_DECAY}, {"params": rest, "weight_decay": 0.0}]


def _rate(share: float) -> float:
    """Returns the learning rate after a share of all steps, of its highest: up in a line, down in a cosine."""
    if share < _WARM_UP:
        return (share + 1e-3) / (_WARM_UP + 1e-3)
    down = (share - _WARM_UP) / (1 - _WARM_UP)
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(down, 1.0)))


def _follow(mean: SmallSsd, network: SmallSsd, memory: float) -> None:
    """Moves a running mean of all weights and statistics on."""
    with torch.no_grad():
        for ours, theirs in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
            if ours.dtype.is_floating_point:
                ours.lerp_(theirs, 1 - memory)
            else:
                ours.copy_(theirs)
