"""Who may import whom; CONTRIBUTING.md says why."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "streamdet"
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))

# module or folder -> packages and modules that nothing else may import
ONLY_HERE = {
    "av": ("sources/", "sinks/", "picture.py", "bench/", "doctor/"),
    "onnxruntime": ("detect/providers", "models/", "bench/", "doctor/"),
    "onnx": ("models/", "detect/providers", "bench/", "doctor/"),
    "openvino": ("openvino_module.py",),  # keeps it from reporting to its maker, and from a second core
    "onnxruntime_ep_openvino": ("detect/providers/openvino.py",),
    "pycocotools": ("evaluate/",),
    "matplotlib": ("evaluate/",),
    "trackeval": ("evaluate/",),
    "http": ("models/web.py", "models/fetch.py"),
    "ssl": ("models/web.py",),
    "threading": ("pipeline/", "sources/", "sinks/", "api.py", "cli/", "detect/session", "bench/", "doctor/", "train/"),
    "torch": ("train/", "cli/train.py"),
    "time": (
        "kernels.py",
        "pipeline/",
        "sources/",
        "sinks/",
        "api.py",
        "cli/",
        "detect/detector.py",
        "evaluate/",
        "models/fetch.py",
        "bench/",
        "doctor/",
    ),
}
PURE = ("detect/", "tracking/", "draw/", "gate/")  # but the edges inside detect: session, providers, detector
EDGES_OF_DETECT = ("detect/session", "detect/providers", "detect/detector.py")


def imported(module):
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_where_they_belong(module):
    roots = {name.split(".")[0] for name in imported(module)}
    for library, places in ONLY_HERE.items():
        assert library not in roots or module.startswith(places), f"{module} imports {library}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(PURE) and not m.startswith(EDGES_OF_DETECT)])
def test_pure_compute_knows_no_edges(module):
    edges = ("streamdet.sources", "streamdet.sinks", "streamdet.pipeline", "streamdet.cli", "pathlib", "os", "io")
    assert not [name for name in imported(module) if name.startswith(edges) and name != "os.path"]


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("pipeline/")])
def test_the_pipeline_knows_only_protocols(module):
    parts = (
        "streamdet.detect",
        "streamdet.tracking",
        "streamdet.draw",
        "streamdet.gate",
        "streamdet.models",
        "streamdet.config",
    )
    bases = {"streamdet.sources.base", "streamdet.sinks.base"}
    for name in imported(module):
        assert not name.startswith(parts)
        if name.startswith(("streamdet.sources", "streamdet.sinks")):
            assert any(name.startswith(base) for base in bases)


def test_opencv_never_opens_media():
    for module in MODULES:
        if module.startswith(("bench/", "sources/camera")):
            continue  # a rival to be measured; a V4L2 device by number
        text = (PACKAGE / module).read_text()
        assert "VideoCapture(" not in text, module
        assert "VideoWriter(" not in text, module
        assert "cv2.imread" not in text, module


@pytest.mark.parametrize("command", ["import streamdet", "import streamdet.cli.main"])
def test_importing_is_light(command):
    heavy = "{'cv2', 'av', 'onnxruntime', 'onnx', 'numba', 'scipy', 'pycocotools', 'matplotlib', 'trackeval'}"
    program = f"import sys; {command}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_public_names_exist():
    import streamdet

    for name in streamdet.__all__:
        assert getattr(streamdet, name) is not None
