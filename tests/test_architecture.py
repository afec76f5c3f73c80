"""Which module may import which; CONTRIBUTING.md explains why."""

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "streamdet"
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))

# From the top down. A module or folder imports only from its own layer and the layers below it, which CONTRIBUTING.md
# lists in the same order. A new top-level module or folder must be added here and there.
LAYERS = {
    "programs": ("bench", "cli", "demo", "doctor", "evaluate", "train", "__main__"),
    "wiring": ("trackers", "config", "auto_mode", "endpoints", "build", "api"),
    "pipeline": ("pipeline",),
    "model conversion": ("convert", "quantize"),
    "edges": ("sources", "sinks", "models", "inference"),
    "pure computation": ("model_spec", "detect", "tracking", "gate", "draw", "scenes"),
    "vocabulary": (
        "__init__",
        "atomic_write",
        "boxes",
        "cache",
        "color",
        "errors",
        "interrupts",
        "isolation",
        "kernels",
        "labels",
        "openvino_runtime",
        "picture",
        "protocols",
        "redact",
        "types",
        "version",
        "yaml_file",
    ),
}
LEVEL = {place: level for level, places in enumerate(reversed(LAYERS.values())) for place in places}
PURE = tuple(f"{place}/" for place in LAYERS["pure computation"])

# library -> the only modules and folders that may import it
ONLY_HERE = {
    "av": ("sources/", "sinks/", "picture.py", "bench/", "doctor/"),
    "onnxruntime": ("inference/providers/", "convert/", "quantize/", "bench/", "doctor/"),
    "onnx": ("models/", "convert/", "quantize/", "inference/providers/", "bench/", "doctor/"),
    "openvino": ("openvino_runtime.py",),  # switches off its usage statistics and keeps a single core object
    "onnxruntime_ep_openvino": ("inference/providers/openvino.py",),
    "pycocotools": ("evaluate/",),
    "matplotlib": ("evaluate/",),
    "trackeval": ("evaluate/",),
    "http": ("models/http_client.py", "models/download.py"),
    "ssl": ("models/http_client.py",),
    "signal": ("interrupts.py", "isolation.py", "doctor/"),
    "threading": (
        "pipeline/",
        "sources/",
        "sinks/",
        "api.py",
        "cli/",
        "inference/session",
        "interrupts.py",
        "isolation.py",
        "bench/",
        "doctor/",
        "train/",
    ),
    "torch": ("train/", "cli/train.py"),
    "time": (
        "kernels.py",
        "isolation.py",
        "pipeline/",
        "sources/",
        "sinks/",
        "api.py",
        "cli/",
        "inference/detector.py",
        "evaluate/",
        "models/download.py",
        "bench/",
        "doctor/",
    ),
}


def imported(module, types_too=True):
    """Returns the dotted names that a module imports; `types_too` includes those imported for annotations only."""
    names = set()
    waiting = [ast.parse((PACKAGE / module).read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types_too:
            continue
        waiting += ast.iter_child_nodes(node)
    return names


def place_of(module):
    """Returns the top-level module or folder: "detect" for "detect/nms.py"."""
    return module.split("/")[0].removesuffix(".py")


@cache
def arrows():
    """Returns place -> the other places it imports from -> an example of a module that does."""
    found = defaultdict(dict)
    for module in MODULES:
        for name in imported(module, types_too=False):
            parts = name.split(".")
            if parts[0] == "streamdet" and len(parts) > 1:
                target = parts[1] if parts[1] in LEVEL else "__init__"  # a name of the package itself
                if target != place_of(module):
                    found[place_of(module)][target] = module
    return found


def test_every_top_level_module_has_a_layer():
    assert sorted(LEVEL) == sorted({place_of(module) for module in MODULES})


@pytest.mark.parametrize("place", sorted(LEVEL))
def test_imports_point_down(place):
    for target, module in arrows()[place].items():
        assert LEVEL[target] <= LEVEL[place], f"{module} imports {target}, which is in a higher layer"


def test_no_folders_import_each_other():
    reach = {place: reachable(place) for place in LEVEL}
    circles = [(a, b) for a, b in combinations(sorted(LEVEL), 2) if b in reach[a] and a in reach[b]]
    assert not circles


def reachable(place):
    seen, waiting = set(), list(arrows()[place])
    while waiting:
        target = waiting.pop()
        if target not in seen:
            seen.add(target)
            waiting += arrows()[target]
    return seen


def test_no_modules_import_each_other():
    names = {f"streamdet.{m.removesuffix('.py').replace('/', '.').removesuffix('.__init__')}": m for m in MODULES}
    direct = {m: {names[n] for n in imported(m, types_too=False) if n in names and names[n] != m} for m in MODULES}
    reach = {}
    for module in MODULES:
        seen, waiting = set(), list(direct[module])
        while waiting:
            target = waiting.pop()
            if target not in seen and not target.endswith("__init__.py"):  # hands names on, and defines nothing
                seen.add(target)
                waiting += direct[target]
        reach[module] = seen
    assert not [module for module in MODULES if module in reach[module]]


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_where_they_belong(module):
    roots = {name.split(".")[0] for name in imported(module)}
    for library, places in ONLY_HERE.items():
        assert library not in roots or module.startswith(places), f"{module} imports {library}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(PURE)])
def test_pure_computation_uses_no_files_threads_or_models(module):
    edges = ("streamdet.sources", "streamdet.sinks", "streamdet.models", "streamdet.inference", "pathlib", "os", "io")
    assert not [name for name in imported(module) if name.startswith(edges) and name != "os.path"]


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("pipeline/")])
def test_the_pipeline_knows_only_protocols_and_base_classes(module):
    bases = ("streamdet.sources.base", "streamdet.sinks.base")
    for name in imported(module):
        parts = name.split(".")
        if parts[0] == "streamdet" and len(parts) > 1 and not name.startswith(bases):
            allowed = (*LAYERS["vocabulary"], "pipeline")
            assert parts[1] in allowed or name in ("streamdet.sources", "streamdet.sinks"), f"{module} imports {name}"


def test_no_class_name_is_used_twice():
    places = defaultdict(list)
    for module in MODULES:
        for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert not {name: modules for name, modules in places.items() if len(modules) > 1}


def test_opencv_never_opens_media():
    for module in MODULES:
        if module.startswith(("bench/", "sources/camera")):
            continue  # the comparison script of the benchmarks; a V4L2 device by number
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
