"""Maps a model's classes to the categories of an annotations file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError
from streamdet.labels import canonical


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """The category of each class of a model.

    Attributes:
        category_ids: (classes,) int64; -1 for a class without a category.
        unmapped_classes: classes without a category: their detections do not count.
        unmapped_categories: categories without a class: their objects count as missed.
    """

    category_ids: NDArray[np.int64]
    unmapped_classes: tuple[str, ...]
    unmapped_categories: tuple[str, ...]


def map_classes(labels: Sequence[str], categories: Mapping[int, str], name: str = "the file") -> ClassMap:
    """Maps a model's classes to categories by name; the numbers on either side do not matter.

    This maps COCO's 80 classes to the ids 1 to 90 of COCO's files, also under their names in PASCAL VOC.

    Args:
        labels: the model's class names.
        categories: name by category id.
        name: of the annotations file, for messages.

    Raises:
        UsageError: the model has no class names, or none of them is a category.

    >>> map_classes(("cat", "tvmonitor", "unicorn"), {17: "cat", 72: "tv"}).category_ids.tolist()
    [17, 72, -1]
    """
    if not labels:
        raise UsageError("the model has no class names: give `labels` in a YAML description next to it")
    id_by_name: dict[str, int] = {}
    for number, category in categories.items():
        id_by_name.setdefault(canonical(category), number)
    numbers = [id_by_name.get(canonical(label), -1) for label in labels]
    if max(numbers) < 0:
        raise UsageError(
            f"none of the model's {len(labels)} classes ({_some(labels)}) is a category of {name} "
            f"({_some(list(categories.values()))}): the names must agree"
        )
    reached = set(numbers)
    return ClassMap(
        np.array(numbers, np.int64),
        tuple(
            label
            for label, number in zip(labels, numbers, strict=True)
            if number < 0 and not label.startswith("unused ")  # fills a gap in COCO's ids
        ),
        tuple(category for number, category in categories.items() if number not in reached),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
