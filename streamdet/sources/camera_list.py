"""The cameras that the system lists; apart from opening them, which takes much heavier libraries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera as the system lists it.

    Attributes:
        index: what `streamdet run INDEX` takes.
        path: its device file.
        name: what the driver calls it.
    """

    index: int
    path: Path
    name: str


def list_cameras(sys_dir: Path = Path("/sys/class/video4linux")) -> list[CameraInfo]:
    """Returns the cameras of a Linux machine; an empty list elsewhere, where OpenCV cannot tell.

    A camera's driver also makes nodes for metadata; the one that gives pictures has index 0 among them.
    """
    cameras = []
    for node in sys_dir.glob("video[0-9]*"):
        try:
            name = (node / "name").read_text().strip()
            first = (node / "index").read_text().strip() == "0"
        except OSError:  # unplugged just now
            continue
        if first:
            cameras.append(CameraInfo(int(node.name.removeprefix("video")), Path("/dev") / node.name, name))
    return sorted(cameras, key=lambda camera: camera.index)
