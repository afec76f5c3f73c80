"""What this machine can do and what it lacks.

Each module looks at one subject; `isolated` runs them all at once, in processes of their own.
"""

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.diagnosis import Diagnosis, diagnose
from streamdet.doctor.inference import tiny_model
from streamdet.doctor.probes import Probe, run_probes

__all__ = ["LIMIT_S", "PROBES", "CheckResult", "Diagnosis", "Probe", "Status", "diagnose", "run_checks", "tiny_model"]

LIMIT_S = 30.0
"""How long a probe may take: the first start of a GPU's libraries on a slow or busy machine takes many seconds."""

_NVIDIA = "update the NVIDIA driver (then restart the machine); until then: --provider cpu"

PROBES = (
    Probe("machine", "machine"),
    Probe("packages", "packages"),
    Probe("nvidia gpu", "nvidia", fix=_NVIDIA),
    Probe("provider tensorrt", "inference", "tensorrt", _NVIDIA),
    Probe("provider cuda", "inference", "cuda", _NVIDIA),
    Probe("provider openvino", "inference", "openvino", "pip install --force-reinstall onnxruntime-ep-openvino"),
    Probe("provider cpu", "inference", "cpu", "reinstall onnxruntime"),
    Probe("provider auto", "inference", "auto", "name one that works: --provider cpu"),
    Probe("video", "video", fix="pip install --force-reinstall av"),
    Probe("hardware video", "hardware_video", fix="leave --encoder on auto, and update the graphics driver"),
    Probe(
        "windows",
        "windows",
        fix="leave --show out (-o out.mp4 records), or: pip install --force-reinstall opencv-python",
    ),
    Probe("cameras", "cameras", fix="unplug the camera and plug it in again"),
    Probe("storage", "storage", fix="check the disks, network disks above all"),
)
"""In the order in which a person fixes things."""


def run_checks(limit_s: float = LIMIT_S) -> list[CheckResult]:
    """Returns all findings, in the order in which a person fixes things; takes a few seconds.

    Args:
        limit_s: what takes longer is given up.
    """
    return run_probes(PROBES, limit_s)
