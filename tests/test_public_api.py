"""The public names of the package: complete, documented, and imported only when they are used."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import streamdet
from streamdet import errors

NAMES = sorted(set(streamdet.__all__) - {"__version__"})


def test_every_public_name_has_a_module():
    assert sorted(streamdet._MODULE_OF) == sorted(streamdet.__all__)
    assert dir(streamdet) == sorted(streamdet.__all__)


def test_every_error_is_public():
    defined = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert set(defined) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_documented(name):
    value = getattr(streamdet, name)
    assert value.__doc__
    methods = [m for m in vars(value).values() if inspect.isfunction(m)] if inspect.isclass(value) else []
    undocumented = [m.__name__ for m in methods if not m.__name__.startswith("_") and not m.__doc__]
    assert not undocumented


def test_an_unknown_name_is_an_attribute_error():
    name = "detect_everything"
    with pytest.raises(AttributeError, match=f"module 'streamdet' has no attribute '{name}'"):
        getattr(streamdet, name)


def test_a_name_is_imported_when_it_is_used():
    program = (
        "import sys, streamdet\n"
        "assert not [name for name in sys.modules if name.startswith('streamdet.')]\n"
        "streamdet.UsageError\n"
        "print([name for name in sys.modules if name.startswith('streamdet.')])"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stdout.strip() == "['streamdet.errors']", done.stderr


def test_the_version_is_that_of_the_project_file():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert streamdet.__version__ == project["version"]
