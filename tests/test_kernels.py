"""The cache of compiled kernels."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from streamdet import kernels

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "cached"), [(1 << 30, True), (1 << 20, False), (0, False)])
def test_kernels_are_not_cached_on_a_full_disk(monkeypatch, tmp_path, free, cached):
    """Numba would raise the error of the disk in the middle of a run."""
    monkeypatch.setattr(kernels, "private_dir", lambda name: tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 40, (1 << 40) - free, free))
    assert (kernels._cache_dir() is not None) is cached


def test_the_first_run_is_recognized(tmp_path):
    program = """
from streamdet.boxes import cxcywh_to_xyxy
import streamdet.detect.nms, streamdet.draw.blend
from streamdet.kernels import compiled_before
print(compiled_before())
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    printed = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment).stdout.strip()
        for _ in range(2)
    ]
    assert printed == ["False", "True"]
