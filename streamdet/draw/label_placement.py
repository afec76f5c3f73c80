"""Position of a label: next to its box, inside the picture, not overlapping other labels where possible."""

from streamdet.draw.blend import Rect


def _is_free(rect: Rect, taken: list[Rect]) -> bool:
    left, top, right, bottom = rect
    for other in taken:  # noqa: SIM110  # a generator would cost more than the comparisons
        if left < other[2] and other[0] < right and top < other[3] and other[1] < bottom:
            return False
    return True


def place_label(box: Rect, size: tuple[int, int], picture: tuple[int, int], taken: list[Rect]) -> tuple[Rect, bool]:
    """Returns the rectangle for a label of `size` (width, height) of `box`, and whether it is free of other labels.

    Tries above the box, then inside its top edge, each at the left and at the right, then below. The first place
    inside the picture and free of other labels wins, otherwise the first inside the picture.

    >>> place_label((10, 40, 50, 90), (30, 12), (100, 100), [])
    ((10, 28, 40, 40), True)
    >>> place_label((10, 4, 50, 90), (30, 12), (100, 100), [])
    ((10, 4, 40, 16), True)
    """
    left, top, right, bottom = box
    width, height = size
    furthest_left = max(picture[0] - width, 0)
    lefts = min(max(left, 0), furthest_left), min(max(right - width, 0), furthest_left)
    inside_top = max(top, 0)
    fallback: Rect | None = None
    for y in (top - height, inside_top, bottom):
        if y < 0 or y + height > picture[1]:
            continue
        for x in lefts:
            rect = x, y, x + width, y + height
            if _is_free(rect, taken):
                return rect, True
            if fallback is None:
                fallback = rect
    if fallback is None:
        y = max(min(inside_top, picture[1] - height), 0)
        fallback = lefts[0], y, lefts[0] + width, y + height
    return fallback, _is_free(fallback, taken)
