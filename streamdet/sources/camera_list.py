"""Lists the cameras of this machine. Kept apart from `camera.py`, which imports large libraries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera as the operating system lists it.

    Attributes:
        index: its number, as in `streamdet run INDEX`.
        path: its device file.
        name: its name according to the driver.
    """

    index: int
    path: Path
    name: str


def list_cameras(sys_dir: Path = Path("/sys/class/video4linux")) -> list[CameraInfo]:
    """Returns the cameras of a Linux machine; an empty list on other systems, where OpenCV cannot list them.

    A driver may create several nodes per camera, some for metadata. The node with index 0 delivers the frames.
    """
    cameras = []
    for node in sys_dir.glob("video[0-9]*"):
        try:
            name = (node / "name").read_text().strip()
            delivers_frames = (node / "index").read_text().strip() == "0"
        except OSError:  # just unplugged
            continue
        if delivers_frames:
            cameras.append(CameraInfo(int(node.name.removeprefix("video")), Path("/dev") / node.name, name))
    return sorted(cameras, key=lambda camera: camera.index)
