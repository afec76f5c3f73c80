"""The class names of COCO and their numbers, and the selection of classes by name."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError

_COCO80_TEXT = """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
    stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
    backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
    baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl,
    banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant,
    bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink,
    refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush
"""

COCO80: tuple[str, ...] = tuple(" ".join(_COCO80_TEXT.split()).split(", "))
"""The 80 classes of COCO 2017 in the order of their ids; nearly every COCO detector numbers them from 0."""

# Ids in 1..90 that COCO 2017 does not use.
_UNUSED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})

COCO_IDS: tuple[int, ...] = tuple(i for i in range(1, 91) if i not in _UNUSED_IDS)
"""The COCO category id of each class in `COCO80`, as annotations and pycocotools use it."""

_NAME_BY_ID = dict(zip(COCO_IDS, COCO80, strict=True))
COCO90: tuple[str, ...] = tuple(_NAME_BY_ID.get(i, f"unused {i}") for i in range(1, 91))
"""Names by COCO category id minus one, for networks that output those ids (TensorFlow's)."""

# Names of the same classes in PASCAL VOC and Darknet, which users of other programs type.
_OLD_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def select_classes(labels: Sequence[str], wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Returns which of `labels` are wanted, (len(labels),) bool; all of them if `wanted` is empty.

    A class is given by its name, in upper or lower case, or by its number.

    Raises:
        UsageError: the model has no class of this name; the message suggests the closest ones.

    >>> select_classes(("person", "car", "cat"), ["Car", "0"]).tolist()
    [True, True, False]
    """
    if not wanted:
        return np.ones(len(labels), np.bool_)
    index_by_name = {name.casefold(): i for i, name in enumerate(labels)}
    chosen = np.zeros(len(labels), np.bool_)
    for name in wanted:
        key = name.strip().casefold()
        if key in index_by_name:
            chosen[index_by_name[key]] = True
        elif key.isdecimal() and int(key) < len(labels):
            chosen[int(key)] = True
        else:
            raise UsageError(f"unknown class {name!r}: {_suggest(key, index_by_name, labels)}")
    return chosen


def _suggest(key: str, index_by_name: dict[str, int], labels: Sequence[str]) -> str:
    key = _OLD_NAMES.get(key, key)
    alike = difflib.get_close_matches(key, index_by_name, n=3)
    alike += [name for name in index_by_name if len(key) > 2 and (key in name or name in key)]
    close = list(dict.fromkeys(alike))[:3]
    if close:
        return "did you mean " + " or ".join(repr(labels[index_by_name[name]]) for name in close) + "?"
    shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
    return f"the model knows {len(labels)} classes ({shown})" if labels else "the model has no class names"


def canonical(name: str) -> str:
    """Returns one form for all usual spellings of a class: case, blanks and older names do not matter.

    >>> canonical("TV Monitor"), canonical("tv"), canonical("diningtable") == canonical("dining_table")
    ('tv', 'tv', True)
    """
    plain = _plain(name)
    return _plain(_OLD_NAMES.get(plain, plain))


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
