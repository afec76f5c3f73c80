"""`streamdet doctor`: what works on this machine, what does not, and how to fix it.

Each module examines one subject with its function ``probe``. `probes` runs all of them, each in its own process.
"""

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.diagnosis import Diagnosis, diagnose
from streamdet.doctor.inference import tiny_model
from streamdet.doctor.probes import Probe, run_probes

__all__ = ["PROBES", "TIMEOUT_S", "CheckResult", "Diagnosis", "Probe", "Status", "diagnose", "run_checks", "tiny_model"]

TIMEOUT_S = 30.0
"""How long a probe may take. The first start of GPU libraries on a slow or busy machine takes many seconds."""

_NVIDIA = "update the NVIDIA driver (then restart the machine); until then: --provider cpu"

PROBES = (
    Probe("machine", "machine"),
    Probe("packages", "packages"),
    Probe("nvidia gpu", "nvidia", fix=_NVIDIA),
    Probe("provider tensorrt", "inference", "tensorrt", _NVIDIA),
    Probe("provider cuda", "inference", "cuda", _NVIDIA),
    Probe("provider openvino", "inference", "openvino", "pip install --force-reinstall onnxruntime-ep-openvino"),
    Probe("provider cpu", "inference", "cpu", "reinstall onnxruntime"),
    Probe("provider auto", "inference", "auto", "choose a provider that works: --provider cpu"),
    Probe("video", "video", fix="pip install --force-reinstall av"),
    Probe("hardware video", "hardware_video", fix="keep --encoder auto, and update the graphics driver"),
    Probe(
        "windows",
        "windows",
        fix="do not use --show (-o out.mp4 records), or: pip install --force-reinstall opencv-python",
    ),
    Probe("cameras", "cameras", fix="unplug the camera and plug it back in"),
    Probe("storage", "storage", fix="check the disks, network disks first"),
)
"""Ordered by what should be fixed first."""


def run_checks(timeout_s: float = TIMEOUT_S) -> list[CheckResult]:
    """Returns the results of all probes, ordered by what should be fixed first. Takes a few seconds.

    Args:
        timeout_s: a probe that takes longer is reported as failed.
    """
    return run_probes(PROBES, timeout_s)
