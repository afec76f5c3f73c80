"""Every kernel has a numpy reference in its module, or is called by a kernel that has one; tests use the reference.

This test does not see how the other tests use a reference.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "streamdet"

# Kernels that are compared with the reference of another kernel in their module.
OTHER_REFERENCE = {
    ("draw/blend.py", "fill_i420"): "stamp_i420_reference",  # with a mask that is 255 everywhere
    ("draw/blend.py", "fill_bgr"): "stamp_bgr_reference",
    ("draw/blend.py", "outline_i420"): "stamp_i420_reference",  # one for each of the four sides
    ("draw/blend.py", "outline_bgr"): "stamp_bgr_reference",
}


class Module:
    """The functions of a module, and the places of those that it imports."""

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
    """Returns the roots and all functions of the package that they call, directly or not."""
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
REFERENCES = [(file, name) for file, name in FUNCTIONS if name.endswith("_reference")]
# A reference may have the name of a thin function around the kernel.
WITH_REFERENCE = reached(*((file, name.removesuffix("_reference")) for file, name in REFERENCES))
NAMED_BY_TESTS = {
    getattr(node, "id", None) or getattr(node, "attr", None)
    for path in (ROOT / "tests").rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
}


@pytest.mark.parametrize(("file", "name"), KERNELS)
def test_every_kernel_has_a_numpy_reference(file, name):
    assert (file, name) in WITH_REFERENCE | reached(*OTHER_REFERENCE)


@pytest.mark.parametrize(("file", "name"), REFERENCES)
def test_tests_use_every_reference_or_one_that_calls_it(file, name):
    assert NAMED_BY_TESTS & {
        reference for where, reference in REFERENCES if (file, name) in reached((where, reference))
    }


def test_no_reference_calls_a_kernel():
    assert not reached(*REFERENCES) & set(KERNELS)


def test_the_exceptions_are_needed():
    assert len(KERNELS) > 50
    assert set(OTHER_REFERENCE) <= set(KERNELS) - WITH_REFERENCE
    assert {(file, reference) for (file, _), reference in OTHER_REFERENCE.items()} <= set(REFERENCES)
