"""Corners and sparse optical flow: how points of one picture moved to the next.

Lucas and Kanade, "An Iterative Image Registration Technique with an Application to Stereo Vision", IJCAI 1981, on a
pyramid as in Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker", 2000; points are chosen by the
smaller eigenvalue, as in Shi and Tomasi, "Good Features to Track", CVPR 1994.

At every level a window lies on whole pixels of the earlier picture; only the displacement is fractional. So the earlier
picture and its gradients are read without interpolation, and all pixels of a window share four weights for the later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.pyramid import Level

Points = NDArray[np.float32]
"""(N, 2) float32: x, y in pixels of the finest level; the center of its first pixel is (0, 0)."""

Cells = NDArray[np.bool_]
"""(M, N) bool: square cells of the finest level without its outermost pixels, row by row."""

WINDOW = 8
"""Side of a window in pixels, on each level."""
MAX_ITERATIONS = 8
"""Maximum Gauss-Newton steps on a level."""
CONVERGED_PX = 0.03
"""A smaller step ends a level. For scale: 2 px of the picture lower the IoU of a person 40 px wide to 0.9."""
MIN_GRADIENT = 2.0
"""Minimum mean squared gradient of a window in its weaker direction, in (gray levels per pixel)^2."""


@kernel
def select_cells(
    before: Level, after: Level, cell: int, boxes_xyxy: NDArray[np.float64], changed: float, sparse: int
) -> Cells:
    """Selects cells where points are worth their cost: in known boxes, where the picture changes, and a few elsewhere.

    Whatever moves outside known boxes may be found by the next detections, and then its motion is needed.

    Args:
        before: (rows, columns) float32.
        after: the same shape, the next picture.
        cell: side of the cells in pixels.
        boxes_xyxy: (N, 4) float64 in pixels of the level.
        changed: minimum mean absolute difference of a cell that changes, in gray levels.
        sparse: of the other cells, select every `sparse`-th of each row and column.

    Returns:
        (M, N) bool.
    """
    down, across = max(before.shape[0] - 2, 0) // cell, max(before.shape[1] - 2, 0) // cell
    wanted = np.zeros((down, across), np.bool_)
    limit = np.float32(changed * cell * cell)
    for i in range(down):
        for j in range(across):
            if i % sparse == sparse // 2 and j % sparse == sparse // 2:
                wanted[i, j] = True
                continue
            off = np.float32(0)
            for y in range(1 + i * cell, 1 + (i + 1) * cell):
                for x in range(1 + j * cell, 1 + (j + 1) * cell):
                    off += abs(before[y, x] - after[y, x])
            wanted[i, j] = off >= limit
    for n in range(len(boxes_xyxy)):
        left = min(max(int(np.floor((boxes_xyxy[n, 0] - 1) / cell)), 0), across)
        top = min(max(int(np.floor((boxes_xyxy[n, 1] - 1) / cell)), 0), down)
        right = min(max(int(np.ceil((boxes_xyxy[n, 2] - 1) / cell)), 0), across)
        bottom = min(max(int(np.ceil((boxes_xyxy[n, 3] - 1) / cell)), 0), down)
        wanted[top:bottom, left:right] = True
    return wanted


def select_cells_reference(
    before: Level, after: Level, cell: int, boxes_xyxy: NDArray[np.float64], changed: float, sparse: int
) -> Cells:
    """The same as `select_cells` in plain numpy."""
    down, across = max(before.shape[0] - 2, 0) // cell, max(before.shape[1] - 2, 0) // cell
    used = np.abs(before - after)[1 : 1 + down * cell, 1 : 1 + across * cell].astype(np.float64)
    wanted: Cells = used.reshape(down, cell, across, cell).mean(axis=(1, 3)) >= changed
    wanted[sparse // 2 :: sparse, sparse // 2 :: sparse] = True
    left, top = ((np.arange(n) * cell + 1) for n in (across, down))
    for box in boxes_xyxy:
        columns = (left < box[2]) & (left + cell > box[0])
        rows = (top < box[3]) & (top + cell > box[1])
        wanted |= rows[:, None] & columns[None, :]
    return wanted


@kernel
def find_corners(level: Level, cell: int, wanted: Cells, gradient: float) -> Points:
    """Returns the best point of each wanted cell that has gradients in two directions.

    Args:
        level: (rows, columns) float32.
        cell: side of the cells in pixels.
        wanted: (M, N) bool, which cells to use, see `select_cells`.
        gradient: minimum mean squared gradient of a cell in its weaker direction, see `MIN_GRADIENT`.

    Returns:
        (N, 2) float32 x, y of whole pixels, row by row of cells.
    """
    down, across = wanted.shape
    points = np.empty((down * across, 2), np.float32)
    energy = np.empty((cell, cell), np.float32)
    count = 0
    half = np.float32(0.5)
    for i in range(down):
        for j in range(across):
            if not wanted[i, j]:
                continue
            y0, x0 = 1 + i * cell, 1 + j * cell
            xx, xy, yy = np.float32(0), np.float32(0), np.float32(0)
            for y in range(cell):
                for x in range(cell):
                    dx = half * (level[y0 + y, x0 + x + 1] - level[y0 + y, x0 + x - 1])
                    dy = half * (level[y0 + y + 1, x0 + x] - level[y0 + y - 1, x0 + x])
                    xx += dx * dx
                    xy += dx * dy
                    yy += dy * dy
                    energy[y, x] = dx * dx + dy * dy
            least = smaller_eigenvalue(xx, xy, yy) / np.float32(cell * cell)
            if not least >= gradient:
                continue
            best, at_y, at_x = np.float32(-1), 0, 0
            for y in range(cell):
                for x in range(cell):
                    if energy[y, x] > best:
                        best, at_y, at_x = energy[y, x], y, x
            points[count, 0] = x0 + at_x
            points[count, 1] = y0 + at_y
            count += 1
    return points[:count].copy()


@kernel
def smaller_eigenvalue(xx: np.float32, xy: np.float32, yy: np.float32) -> np.float32:
    """Returns the smaller eigenvalue of the symmetric matrix [[xx, xy], [xy, yy]]."""
    root: np.float32 = np.sqrt((xx - yy) * (xx - yy) + np.float32(4) * xy * xy)
    return np.float32(0.5) * (xx + yy - root)


def find_corners_reference(level: Level, cell: int, wanted: Cells, gradient: float) -> Points:
    """The same as `find_corners` in plain numpy."""
    down, across = wanted.shape
    dx = (level[1:-1, 2:] - level[1:-1, :-2]) / 2
    dy = (level[2:, 1:-1] - level[:-2, 1:-1]) / 2

    def cut(values: NDArray[np.floating]) -> NDArray[np.float64]:
        used = values[: down * cell, : across * cell].astype(np.float64)
        return used.reshape(down, cell, across, cell).swapaxes(1, 2).reshape(down * across, cell * cell)

    xx, xy, yy = cut(dx * dx), cut(dx * dy), cut(dy * dy)
    matrices = np.stack([xx.mean(1), xy.mean(1), xy.mean(1), yy.mean(1)], axis=1).reshape(-1, 2, 2)
    weaker = np.linalg.eigvalsh(matrices)[:, 0] if len(matrices) else np.empty(0)
    best = (xx + yy).argmax(axis=1) if len(matrices) else np.empty(0, np.int64)
    index = np.arange(down * across)
    x = 1 + index % max(across, 1) * cell + best % cell
    y = 1 + index // max(across, 1) * cell + best // cell
    return np.stack([x, y], axis=1)[wanted.ravel() & (weaker >= gradient)].astype(np.float32)


@kernel(contract=True)
def align_window(before: Level, after: Level, x: int, y: int, dx: float, dy: float) -> tuple[float, float, np.float32]:
    """Finds the window around a whole pixel of `before` in `after`, starting from a guess.

    Args:
        before: (rows, columns) float32.
        after: the same shape.
        x: column of the window's pixel 4, 4; the window must be at least 1 px from the border.
        y: its row.
        dx: guessed displacement in pixels.
        dy: the same in y.

    Returns:
        The displacement, and the mean absolute difference in gray levels that remains at the last step: infinite where
        the window has too little gradient, or leaves the picture.
    """
    half = WINDOW // 2
    left, top = x - half, y - half
    rows, columns = before.shape
    gx = np.empty(WINDOW * WINDOW, np.float32)
    gy = np.empty(WINDOW * WINDOW, np.float32)
    gray = np.empty(WINDOW * WINDOW, np.float32)
    xx, xy, yy = np.float32(0), np.float32(0), np.float32(0)
    for j in range(WINDOW):
        for i in range(WINDOW):
            at = j * WINDOW + i
            gradient_x = np.float32(0.5) * (before[top + j, left + i + 1] - before[top + j, left + i - 1])
            gradient_y = np.float32(0.5) * (before[top + j + 1, left + i] - before[top + j - 1, left + i])
            gx[at], gy[at], gray[at] = gradient_x, gradient_y, before[top + j, left + i]
            xx += gradient_x * gradient_x
            xy += gradient_x * gradient_y
            yy += gradient_y * gradient_y
    if not smaller_eigenvalue(xx, xy, yy) >= MIN_GRADIENT * 0.25 * WINDOW * WINDOW:
        return dx, dy, np.float32(np.inf)
    share = 1.0 / (np.float64(xx) * yy - np.float64(xy) * xy)
    residual = np.float32(np.inf)
    for _ in range(MAX_ITERATIONS):
        column, row = int(np.floor(left + dx)), int(np.floor(top + dy))
        if column < 0 or row < 0 or column + WINDOW >= columns or row + WINDOW >= rows:
            return dx, dy, np.float32(np.inf)
        fx, fy = np.float32(left + dx - column), np.float32(top + dy - row)
        one = np.float32(1)
        w00, w01 = (one - fx) * (one - fy), fx * (one - fy)
        w10, w11 = (one - fx) * fy, fx * fy
        bx, by, off = np.float32(0), np.float32(0), np.float32(0)
        for j in range(WINDOW):
            for i in range(WINDOW):
                at = j * WINDOW + i
                value = (
                    w00 * after[row + j, column + i]
                    + w01 * after[row + j, column + i + 1]
                    + w10 * after[row + j + 1, column + i]
                    + w11 * after[row + j + 1, column + i + 1]
                )
                difference = gray[at] - value
                bx += difference * gx[at]
                by += difference * gy[at]
                off += abs(difference)
        residual = np.float32(off / np.float32(WINDOW * WINDOW))
        step_x = share * (np.float64(yy) * bx - np.float64(xy) * by)
        step_y = share * (np.float64(xx) * by - np.float64(xy) * bx)
        dx += step_x
        dy += step_y
        if step_x * step_x + step_y * step_y < CONVERGED_PX * CONVERGED_PX:
            break
    return dx, dy, residual


def align_window_reference(
    before: Level, after: Level, x: int, y: int, dx: float, dy: float
) -> tuple[float, float, float]:
    """The same as `align_window` in plain numpy."""
    left, top, half = x - WINDOW // 2, y - WINDOW // 2, WINDOW // 2
    around = before[top - 1 : top + WINDOW + 1, left - 1 : left + WINDOW + 1].astype(np.float64)
    gradients = (
        np.stack([around[1:-1, 2:] - around[1:-1, :-2], around[2:, 1:-1] - around[:-2, 1:-1]]).reshape(2, -1) / 2
    )
    matrix = gradients @ gradients.T
    if not np.linalg.eigvalsh(matrix)[0] >= MIN_GRADIENT * half * half:
        return dx, dy, np.inf
    residual = np.inf
    for _ in range(MAX_ITERATIONS):
        column, row = int(np.floor(left + dx)), int(np.floor(top + dy))
        if column < 0 or row < 0 or column + WINDOW >= after.shape[1] or row + WINDOW >= after.shape[0]:
            return dx, dy, np.inf
        fx, fy = left + dx - column, top + dy - row
        part = after[row : row + WINDOW + 1, column : column + WINDOW + 1].astype(np.float64)
        rows = (1 - fy) * part[:-1] + fy * part[1:]
        difference = (around[1:-1, 1:-1] - (1 - fx) * rows[:, :-1] - fx * rows[:, 1:]).ravel()
        residual = float(np.abs(difference).mean())
        step = np.linalg.solve(matrix, gradients @ difference)
        dx, dy = dx + float(step[0]), dy + float(step[1])
        if step @ step < CONVERGED_PX**2:
            break
    return dx, dy, residual


@kernel
def track_points(
    before: tuple[Level, ...], after: tuple[Level, ...], points: Points, guesses: Points
) -> tuple[Points, NDArray[np.float32]]:
    """Tracks points from one pyramid to the next, coarse to fine.

    Args:
        before: levels of the earlier picture, finest first.
        after: levels of the later one, of the same shapes.
        points: (N, 2) float32, whole pixels of the finest level.
        guesses: (N, 2) float32, displacements to start from.

    Returns:
        (N, 2) float32 displacements, and (N,) float32 residuals in gray levels, infinite where a point was lost.
    """
    moved = np.empty((len(points), 2), np.float32)
    residual = np.empty(len(points), np.float32)
    last = len(before) - 1
    for n in range(len(points)):
        share = 1.0 / (1 << last)
        dx, dy = guesses[n, 0] * share, guesses[n, 1] * share
        off = np.float32(np.inf)
        for down in range(last + 1):
            k = last - down
            level = before[k]
            share = 1.0 / (1 << k)
            x = int(np.floor((points[n, 0] + 0.5) * share))
            y = int(np.floor((points[n, 1] + 0.5) * share))
            reach = WINDOW // 2 + 1
            off = np.float32(np.inf)
            if reach <= x < level.shape[1] - reach and reach <= y < level.shape[0] - reach:
                new_dx, new_dy, off = align_window(level, after[k], x, y, dx, dy)
                # A level that finds nothing, or diverges, passes its guess to the next finer one.
                if off < np.inf and abs(new_dx - dx) < WINDOW // 2 and abs(new_dy - dy) < WINDOW // 2:
                    dx, dy = new_dx, new_dy
                else:
                    off = np.float32(np.inf)
            if k > 0:
                dx, dy = 2.0 * dx, 2.0 * dy
        moved[n, 0] = dx
        moved[n, 1] = dy
        residual[n] = off
    return moved, residual


def track_points_reference(
    before: tuple[Level, ...], after: tuple[Level, ...], points: Points, guesses: Points
) -> tuple[Points, NDArray[np.float32]]:
    """The same as `track_points` with `align_window_reference`, point by point."""
    reach, far = WINDOW // 2 + 1, WINDOW // 2
    moved, residual = np.empty((len(points), 2), np.float32), np.empty(len(points), np.float32)
    for n, (point, guess) in enumerate(zip(points, guesses, strict=True)):
        shift, off = guess.astype(np.float64) / 2 ** len(before), np.inf
        for level, later, k in reversed(list(zip(before, after, range(len(before)), strict=True))):
            shift, off = 2 * shift, np.inf
            x, y = (int(np.floor((value + 0.5) / 2**k)) for value in point)
            if reach <= x < level.shape[1] - reach and reach <= y < level.shape[0] - reach:
                dx, dy, off = align_window_reference(level, later, x, y, shift[0], shift[1])
                if off < np.inf and abs(dx - shift[0]) < far and abs(dy - shift[1]) < far:
                    shift = np.array([dx, dy])
                else:
                    off = np.inf
        moved[n], residual[n] = shift, off
    return moved, residual
