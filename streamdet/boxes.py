"""Arithmetic on arrays of boxes; every name states the layout."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def cxcywh_to_xyxy(boxes_cxcywh: Boxes) -> Boxes:
    """Returns boxes given by center and size, (N, 4), as left, top, right, bottom, (N, 4).

    >>> cxcywh_to_xyxy(np.array([[5, 5, 4, 2]], np.float32)).tolist()
    [[3.0, 4.0, 7.0, 6.0]]
    """
    half = boxes_cxcywh[:, 2:] / np.float32(2)
    return np.concatenate([boxes_cxcywh[:, :2] - half, boxes_cxcywh[:, :2] + half], axis=1)


def area(boxes_xyxy: Boxes) -> NDArray[np.float32]:
    """Returns the (N,) areas; 0 where a box is empty or inverted.

    >>> area(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], np.float32)).tolist()
    [6.0, 0.0]
    """
    size = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], np.float32(0))
    product: NDArray[np.float32] = size[:, 0] * size[:, 1]
    return product


def pairwise_iou(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float32]:
    """Returns the (N, M) intersection over union of two sets of boxes; 0 where both are empty.

    >>> pairwise_iou(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2]], np.float32)).round(3).tolist()
    [[0.3330000042915344]]
    """
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    shared = np.maximum(high - low, np.float32(0)).prod(axis=2, dtype=np.float32)
    union = area(first_xyxy)[:, None] + area(second_xyxy)[None, :] - shared
    iou: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def clip(boxes_xyxy: Boxes, width: int, height: int) -> Boxes:
    """Returns the boxes clipped to a picture of `width` x `height` pixels.

    >>> clip(np.array([[-3, 2, 700, 90]], np.float32), 640, 80).tolist()
    [[0.0, 2.0, 640.0, 80.0]]
    """
    return np.clip(boxes_xyxy, np.float32(0), np.array([width, height, width, height], np.float32))
