"""Plots precision over recall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError
from streamdet.evaluate.coco_ap import IOU_THRESHOLDS, RECALLS, CocoAp
from streamdet.sinks.output_path import write_error

_CLASSES = 8  # more curves cannot be distinguished
_SHOWN_IOU = (0, 4, 5, 6, 7, 8, 9)  # 0.50, and from 0.70 up: the curves between are close together


def check_plot(path: Path) -> None:
    """Checks that a plot can be written, before anything that takes long.

    Raises:
        UsageError: matplotlib is not installed, or does not support the file's suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a plot needs matplotlib: pip install matplotlib") from None
    if path.suffix[1:].lower() not in Figure().canvas.get_supported_filetypes():
        raise UsageError(f"cannot write a plot to {path}: give a name that ends with .png")


def plot_precision_recall(coco: CocoAp, path: Path, title: str) -> None:
    """Writes an image with two plots: the mean over classes at several IoU thresholds, and single classes at IoU 0.50.

    The classes are those with the most objects.

    Args:
        coco: metrics to plot.
        path: see `check_plot`.
        title: above the plots.

    Raises:
        UsageError: see `check_plot`.
        SinkError: the file cannot be written.
    """
    check_plot(path)
    from matplotlib import colormaps
    from matplotlib.figure import Figure  # without pyplot, which would search for a window system

    figure = Figure(figsize=(13, 6.6), dpi=110, layout="constrained")
    figure.suptitle(title)
    by_iou, by_class = figure.subplots(1, 2)
    measured = ~np.isnan(coco.precision[0, 0])
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, len(_SHOWN_IOU)))
    for t, shade in zip(_SHOWN_IOU, shades, strict=True):
        mean = coco.precision[t][:, measured].mean(axis=1)
        by_iou.plot(
            RECALLS, _to_first_zero(mean), color=shade, label=f"IoU {IOU_THRESHOLDS[t]:.2f}   AP {mean.mean():.3f}"
        )
    by_iou.set_title(f"mean over {measured.sum()} classes")
    frequent = sorted(range(len(coco.classes)), key=lambda k: -coco.classes[k].objects)[:_CLASSES]
    for k in frequent:
        row = coco.classes[k]
        if row.objects:
            words = f"{row.name}   AP50 {row.ap50:.3f}   ({row.objects} objects)"
            by_class.plot(RECALLS, _to_first_zero(coco.precision[0, :, k]), label=words)
    by_class.set_title("IoU 0.50, the classes with the most objects")
    for axes in (by_iou, by_class):
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=9, frameon=False)
    try:
        figure.savefig(path)
    except OSError as error:
        raise write_error(path, error) from None


def _to_first_zero(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns a curve that ends at its first 0, so that curves do not overlap on the axis."""
    return np.where(np.cumsum(precision <= 0) > 1, np.nan, precision)
