"""What this machine can do and what it lacks.

Each module looks at one subject; `isolated` runs them all at once, in processes of their own.
"""

from streamdet.doctor.findings import Check, Status
from streamdet.doctor.inference import tiny_model
from streamdet.doctor.isolated import Look, examine_isolated
from streamdet.doctor.verdict import Verdict, judge

__all__ = ["LIMIT_S", "LOOKS", "Check", "Look", "Status", "Verdict", "examine", "judge", "tiny_model"]

LIMIT_S = 30.0
"""How long a look may take: the first start of a GPU's libraries on a slow or busy machine takes many seconds."""

_NVIDIA = "update the NVIDIA driver (then restart the machine); until then: --provider cpu"

LOOKS = (
    Look("machine", "machine"),
    Look("packages", "packages"),
    Look("nvidia gpu", "nvidia", fix=_NVIDIA),
    Look("provider tensorrt", "inference", "tensorrt", _NVIDIA),
    Look("provider cuda", "inference", "cuda", _NVIDIA),
    Look("provider openvino", "inference", "openvino", "pip install --force-reinstall onnxruntime-ep-openvino"),
    Look("provider cpu", "inference", "cpu", "reinstall onnxruntime"),
    Look("provider auto", "inference", "auto", "name one that works: --provider cpu"),
    Look("video", "video", fix="pip install --force-reinstall av"),
    Look("hardware video", "hardware_video", fix="leave --encoder on auto, and update the graphics driver"),
    Look(
        "windows",
        "windows",
        fix="leave --show out (-o out.mp4 records), or: pip install --force-reinstall opencv-python",
    ),
    Look("cameras", "cameras", fix="unplug the camera and plug it in again"),
    Look("storage", "storage", fix="check the disks, network disks above all"),
)
"""In the order in which a person fixes things."""


def examine(limit_s: float = LIMIT_S) -> list[Check]:
    """Returns all findings, in the order in which a person fixes things; takes a few seconds.

    Args:
        limit_s: what takes longer is given up.
    """
    return examine_isolated(LOOKS, limit_s)
