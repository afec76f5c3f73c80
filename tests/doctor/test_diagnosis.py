import pytest

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.diagnosis import diagnose

CPU = [CheckResult("provider cpu", Status.OK, "runs a model"), CheckResult("provider auto", Status.OK, "selects cpu")]
NO_CUDA = CheckResult("provider cuda", Status.ABSENT, "there is no NVIDIA driver")
NO_OPENVINO = CheckResult("provider openvino", Status.ABSENT, "not installed", "pip install plug-in")
NO_CUDNN = CheckResult("libcudnn.so.9", Status.WARN, "missing", "pip install cudnn")
OLD_AV = CheckResult("video", Status.WARN, "old", "update it")
BROKEN = CheckResult("package cv2", Status.FAIL, "two", "remove one")
CUDA = [CheckResult("provider cuda", Status.OK, "runs"), CheckResult("provider auto", Status.OK, "selects cuda")]


@pytest.mark.parametrize(
    ("checks", "provider", "step", "words"),
    [
        (CPU, "cpu", "", "runs on the processor: --provider auto selects cpu."),
        ([*CPU, NO_CUDA, NO_OPENVINO], "cpu", "pip install plug-in", "Not cuda: there is no NVIDIA driver. Not openv"),
        ([OLD_AV, *CPU, NO_OPENVINO, NO_CUDNN], "cpu", "pip install cudnn", "Not openvino: not installed."),
        ([*CPU, NO_OPENVINO, BROKEN], "cpu", "remove one", "selects cpu"),
        ([*CPU, OLD_AV], "cpu", "update it", "selects cpu"),
        ([NO_OPENVINO, *CUDA], "cuda", "", "Detection runs on the NVIDIA GPU: --provider auto selects cuda."),
        (
            [CPU[0], CheckResult("provider auto", Status.FAIL, "crashes", "use cpu")],
            "",
            "use cpu",
            "with --provider cpu",
        ),
        ([CheckResult("provider cpu", Status.FAIL, "gone", "reinstall")], "", "reinstall", "nor with any other"),
        ([], "", "", "does not run"),
    ],
    ids=["plain", "plug-in", "gpu-first", "broken-first", "rest", "gpu", "auto-crashes", "nothing", "empty"],
)
def test_verdicts(checks, provider, step, words):
    verdict = diagnose(checks)
    assert (verdict.provider, verdict.best_step) == (provider, step)
    assert words in verdict.summary
    assert verdict.broken == tuple(check.name for check in checks if check.status is Status.FAIL)
