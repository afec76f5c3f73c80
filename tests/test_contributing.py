"""CONTRIBUTING.md and README.md name only files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
STATION = re.compile(r"^(\d+)\. `(streamdet/[\w/]+\.py)`: `([\w.]+)`", re.MULTILINE)
STATIONS = STATION.findall(GUIDE)


def defined_in(path):
    """Returns the functions, classes and methods that a module defines, as "function", "Class" and "Class.method"."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
    return names


def test_the_path_of_a_frame_has_at_most_20_stations():
    assert [int(number) for number, _, _ in STATIONS] == list(range(1, len(STATIONS) + 1))
    assert 10 < len(STATIONS) <= 20
    assert len(STATIONS) == len(re.findall(r"^\d+\. ", GUIDE, re.MULTILINE))


@pytest.mark.parametrize(("path", "name"), [station[1:] for station in STATIONS], ids=[s[2] for s in STATIONS])
def test_every_station_exists(path, name):
    assert name in defined_in(path)


def exists(path):
    """Returns whether a path of the documents exists, from the repository or from the package."""
    return any((folder / path).exists() for folder in (ROOT, ROOT / "streamdet"))


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md"])
def test_every_path_exists(document):
    text = (ROOT / document).read_text()
    quoted = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml))`", text)
    linked = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    own = [path for path in quoted if path.startswith(("streamdet/", "tests/", "configs/", "examples/", ".ci/"))]
    modules = [path for path in quoted if path.endswith(".py")]
    assert linked or own
    assert not [path for path in {*linked, *own, *modules} if not exists(path)]


def test_every_folder_of_the_architecture_exists():
    from tests.test_architecture import LAYERS

    table = GUIDE[GUIDE.index("| layer |") : GUIDE.index("The threads of a run")]
    for layer, places in LAYERS.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {layer} |")]
        described = set(re.findall(r"\w+", row.split("|")[2]))
        assert described == set(places) - {"__init__", "__main__"}


def test_every_name_exists():
    names = re.findall(r"`([A-Z][a-z]+[A-Z][A-Za-z]*|[A-Z]+_[A-Z_]+)[`.]", GUIDE)
    source = "\n".join(path.read_text() for path in (ROOT / "streamdet").rglob("*.py"))
    assert len(names) > 10
    assert not [name for name in names if not re.search(rf"\b{name}\b", source)]


def test_the_changelog_lists_every_renamed_configuration_key():
    from streamdet.config import RENAMED

    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert not [old for old, new in RENAMED.items() if f"| `{old}` | `{new}` |" not in changelog]
