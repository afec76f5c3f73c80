"""Every public module, class, function, method, and constant of an `__all__` has a docstring.

ruff checks most of them, but `# noqa` switches it off, and it does not know constants.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
    for path in sorted((ROOT / "streamdet").rglob("*.py"))
}
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def classes():
    """Returns class name -> its base names and the names of its documented methods; class names are unique."""
    found = {}
    for tree in MODULES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}
                methods = {n.name for n in node.body if isinstance(n, DEFINITIONS) and ast.get_docstring(n)}
                found[node.name] = bases, methods
    return found


def is_documented_elsewhere(method, owner):
    """Returns whether a base class, or a protocol of the package, documents a method of that name."""
    if any(ast.unparse(decorator).endswith((".setter", "overload")) for decorator in method.decorator_list):
        return True  # the getter or the implementation has the docstring
    if not isinstance(owner, ast.ClassDef):
        return False
    waiting = {owner.name} | {name for name, (bases, _) in classes().items() if "Protocol" in bases}
    seen = set()
    while waiting:
        bases, methods = classes().get(waiting.pop(), (set(), set()))
        if method.name in methods:
            return True
        waiting |= bases - seen
        seen |= bases
    return False


def undocumented(node, prefix=""):
    """Yields the public functions, classes and methods below a node that have no docstring."""
    for child in node.body:
        if isinstance(child, DEFINITIONS) and not child.name.startswith("_"):
            name = f"{prefix}{child.name}"
            if ast.get_docstring(child) is None and not is_documented_elsewhere(child, node):
                yield name
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{name}.")


def constants(tree):
    """Yields the names assigned at the top level of a module, and whether a docstring follows."""
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and not target.id.startswith("_"):
                    yield target.id, documented


def exported(module):
    """Yields the names in a module's `__all__`, each with the module that it comes from."""
    sources = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in MODULES[module].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            for name in ast.literal_eval(node.value):
                yield sources.get(name, (module, name))


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_docstrings(module):
    assert ast.get_docstring(MODULES[module]), f"{module} has no docstring"
    assert list(undocumented(MODULES[module])) == []


def test_exported_constants_have_docstrings():
    missing = []
    for module in MODULES:
        for source, name in exported(module):
            if not dict(constants(MODULES[source])).get(name, True):
                missing.append(f"{source}.{name}")
    assert missing == []


def test_the_check_finds_what_is_missing():
    tree = ast.parse("class A:\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...\nE = 1\nF = 2\n'text'\n")
    assert list(undocumented(tree)) == ["A", "A.b", "d"]
    assert list(constants(tree)) == [("E", False), ("F", True)]
