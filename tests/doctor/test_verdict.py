import pytest

from streamdet.doctor.findings import Check, Status
from streamdet.doctor.verdict import judge

CPU = [Check("provider cpu", Status.OK, "runs a model"), Check("provider auto", Status.OK, "takes cpu")]
NO_CUDA = Check("provider cuda", Status.ABSENT, "there is no NVIDIA driver")
NO_OPENVINO = Check("provider openvino", Status.ABSENT, "not installed", "pip install plug-in")
NO_CUDNN = Check("libcudnn.so.9", Status.WARN, "missing", "pip install cudnn")
OLD_AV = Check("video", Status.WARN, "old", "update it")
BROKEN = Check("package cv2", Status.FAIL, "two", "remove one")
CUDA = [Check("provider cuda", Status.OK, "runs"), Check("provider auto", Status.OK, "takes cuda")]


@pytest.mark.parametrize(
    ("checks", "provider", "step", "words"),
    [
        (CPU, "cpu", "", "runs on the processor: --provider auto takes cpu."),
        ([*CPU, NO_CUDA, NO_OPENVINO], "cpu", "pip install plug-in", "Not cuda: there is no NVIDIA driver. Not openv"),
        ([OLD_AV, *CPU, NO_OPENVINO, NO_CUDNN], "cpu", "pip install cudnn", "Not openvino: not installed."),
        ([*CPU, NO_OPENVINO, BROKEN], "cpu", "remove one", "takes cpu"),
        ([*CPU, OLD_AV], "cpu", "update it", "takes cpu"),
        ([NO_OPENVINO, *CUDA], "cuda", "", "Detection runs on the NVIDIA GPU: --provider auto takes cuda."),
        ([CPU[0], Check("provider auto", Status.FAIL, "crashes", "use cpu")], "", "use cpu", "with --provider cpu"),
        ([Check("provider cpu", Status.FAIL, "gone", "reinstall")], "", "reinstall", "nor with any other"),
        ([], "", "", "does not run"),
    ],
    ids=["plain", "plug-in", "gpu-first", "broken-first", "rest", "gpu", "auto-crashes", "nothing", "empty"],
)
def test_verdicts(checks, provider, step, words):
    verdict = judge(checks)
    assert (verdict.provider, verdict.best_step) == (provider, step)
    assert words in verdict.summary
    assert verdict.broken == tuple(check.name for check in checks if check.status is Status.FAIL)
