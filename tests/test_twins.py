"""Every kernel has a plain numpy twin beside it, or is a part of one that has; tests name the twin.

What a test does with a twin is not seen from here.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "streamdet"

# Kernels that are held to the twin of another one in their module.
HELD_OTHERWISE = {
    ("draw/blend.py", "fill_i420"): "stamp_i420_reference",  # with a mask that is 255 everywhere
    ("draw/blend.py", "fill_bgr"): "stamp_bgr_reference",
    ("draw/blend.py", "outline_i420"): "stamp_i420_reference",  # one for each of the four sides
    ("draw/blend.py", "outline_bgr"): "stamp_bgr_reference",
}


class Module:
    """The functions of a module, and where those are that it imports."""

    def __init__(self, path):
        tree = ast.parse(path.read_text())
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.imported = {
            alias.asname or alias.name: (node.module.removeprefix("streamdet.").replace(".", "/") + ".py", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("streamdet.")
            for alias in node.names
        }


MODULES = {str(path.relative_to(PACKAGE)): Module(path) for path in sorted(PACKAGE.rglob("*.py"))}
FUNCTIONS = {(file, name): node for file, module in MODULES.items() for name, node in module.functions.items()}


def is_kernel(decorator):
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(function, ast.Name) and function.id == "kernel"


def reached(*roots):
    """Those of the package's functions that are called, by whatever way, from the roots; and these."""
    found, waiting = set(), list(roots)
    while waiting:
        one = waiting.pop()
        if one in found or one not in FUNCTIONS:
            continue
        found.add(one)
        for node in ast.walk(FUNCTIONS[one]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                waiting.append(MODULES[one[0]].imported.get(node.func.id, (one[0], node.func.id)))
    return found


KERNELS = [one for one, node in FUNCTIONS.items() if any(map(is_kernel, node.decorator_list))]
TWINS = [(file, name) for file, name in FUNCTIONS if name.endswith("_reference")]
# What a twin is named after may be a thin function around the kernel.
WITH_TWIN = reached(*((file, name.removesuffix("_reference")) for file, name in TWINS))
NAMED_BY_TESTS = {
    getattr(node, "id", None) or getattr(node, "attr", None)
    for path in (ROOT / "tests").rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
}


@pytest.mark.parametrize(("file", "name"), KERNELS)
def test_every_kernel_has_a_twin(file, name):
    assert (file, name) in WITH_TWIN | reached(*HELD_OTHERWISE)


@pytest.mark.parametrize(("file", "name"), TWINS)
def test_tests_name_every_twin_or_one_that_calls_it(file, name):
    assert NAMED_BY_TESTS & {twin for where, twin in TWINS if (file, name) in reached((where, twin))}


def test_no_twin_calls_a_kernel():
    assert not reached(*TWINS) & set(KERNELS)


def test_what_is_held_otherwise_needs_to_be():
    assert len(KERNELS) > 50
    assert set(HELD_OTHERWISE) <= set(KERNELS) - WITH_TWIN
    assert {(file, twin) for (file, _), twin in HELD_OTHERWISE.items()} <= set(TWINS)
