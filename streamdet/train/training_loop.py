"""The training loop of the small SSD."""

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
from streamdet.models.recognize import IMAGENET_NORMALIZATION
from streamdet.train.assign import default_boxes_of
from streamdet.train.batches import Batch, Batches
from streamdet.train.loss import ssd_loss
from streamdet.train.network import SmallSsd
from streamdet.train.samples import Samples

_WARM_UP = 0.03
"""Share of the steps in which the learning rate rises."""
_LAST_RATE = 0.01
"""Learning rate at the end, as a share of the highest."""
_WEIGHT_DECAY = 0.02
_AVERAGE_DECAY = 0.998
"""Decay of the running mean of the weights, per step."""
_FINAL_SHARE = 0.15
"""Share of the epochs, at the end, with little scaling and shifting: the network adapts to pictures as they are."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of training.

    Attributes:
        epochs: number of passes over the pictures.
        batch: pictures per step.
        rate: highest learning rate.
        seed: random seed; determines everything except rounding of sums.
        device: "cpu", "cuda" or another PyTorch device; "auto" uses CUDA if available.
        threads: of PyTorch on a CPU, and as many for preparing batches; 0 uses all processors.
    """

    epochs: int = 12
    batch: int = 32
    rate: float = 2e-3
    seed: int = 0
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress of training.

    Attributes:
        done: completed steps.
        total: steps of the whole training.
        epoch: current epoch, from 1.
        score_loss: running mean over the last steps.
        box_loss: running mean over the last steps.
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
    """Trains a network and returns the running mean of its weights, which detects more than the last weights.

    Args:
        network: initialized network; modified.
        samples: the training data.
        recipe: hyperparameters.
        on_step: called after each step.
        on_epoch: called with the running mean after each epoch.

    Raises:
        UsageError: a batch is too small for batch normalization, or the loss diverged.
        HardwareError: PyTorch has no such device.
    """
    if min(recipe.batch, len(samples)) * min(grid.columns * grid.rows for grid in network.config.grids) < 2:
        size = f"{network.config.width}x{network.config.height}"
        raise UsageError(
            f"batches of one picture of {size} are too small to train with: give a larger --size or --batch"
        )
    torch.manual_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    device = device_of(recipe.device)
    network.to(device, memory_format=torch.channels_last).train()
    mean: SmallSsd = copy.deepcopy(network).eval()
    workers = recipe.threads or max(2, available_cpus())
    batches = Batches(samples, default_boxes_of(network.config.grids), recipe.batch, recipe.seed, workers)
    total = recipe.epochs * len(batches)
    optimizer = torch.optim.AdamW(_parameter_groups(network), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_factor(step / total))
    compute_losses = _LossComputer(network, device)
    done, losses = 0, (0.0, 0.0)
    for epoch in range(1, recipe.epochs + 1):
        moved = 0.5 if epoch <= round(recipe.epochs * (1 - _FINAL_SHARE)) else 0.1
        for batch in batches.epoch(epoch, moved):
            scores, boxes = compute_losses(batch)
            values = float(scores.detach()), float(boxes.detach())
            if not all(map(math.isfinite, values)):
                raise UsageError(f"the loss is not finite after {done} steps: give a lower learning rate")
            optimizer.zero_grad()
            (scores + boxes).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            done += 1
            _update_mean(mean, network, min(_AVERAGE_DECAY, done / (done + 20)))
            share = max(0.02, 1 / done)
            losses = losses[0] + share * (values[0] - losses[0]), losses[1] + share * (values[1] - losses[1])
            on_step(TrainingProgress(done, total, epoch, *losses))
        on_epoch(mean)
    return mean


def device_of(name: str) -> torch.device:
    """Returns PyTorch's device of that name.

    Raises:
        HardwareError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):  # PyTorch built without CUDA asserts
        raise HardwareError(f"PyTorch has no device {name!r} here: use auto or cpu") from None
    return device


class _LossComputer:
    """Computes the losses of batches."""

    def __init__(self, network: SmallSsd, device: torch.device) -> None:
        self._network, self._device = network, device
        self._default_boxes = torch.from_numpy(grid_boxes_cxcywh(network.config.grids)).to(device)
        self._offset, self._scale = (
            torch.tensor(IMAGENET_NORMALIZATION[key], device=device).view(1, 3, 1, 1) for key in ("mean", "std")
        )

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pictures, labels, boxes = (torch.from_numpy(array).to(self._device) for array in batch)
        image = (pictures.permute(0, 3, 1, 2).float() - self._offset) / self._scale
        loc, conf = self._network(image.contiguous(memory_format=torch.channels_last))
        return ssd_loss(loc, conf, labels, boxes, self._default_boxes)


def _parameter_groups(network: SmallSsd) -> list[dict[str, object]]:
    """Returns the parameter groups: convolution kernels with weight decay, all others without."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim == 4]
    rest = [parameter for parameter in network.parameters() if parameter.ndim != 4]
    return [{"params": kernels, "weight_decay": _WEIGHT_DECAY}, {"params": rest, "weight_decay": 0.0}]


def _rate_factor(share: float) -> float:
    """Returns the learning rate, relative to its highest, after a share of all steps: linear rise, cosine decay."""
    if share < _WARM_UP:
        return (share + 1e-3) / (_WARM_UP + 1e-3)
    down = (share - _WARM_UP) / (1 - _WARM_UP)
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(down, 1.0)))


def _update_mean(mean: SmallSsd, network: SmallSsd, decay: float) -> None:
    """Updates the running mean of all weights and statistics."""
    with torch.no_grad():
        for ours, theirs in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
            if ours.dtype.is_floating_point:
                ours.lerp_(theirs, 1 - decay)
            else:
                ours.copy_(theirs)
