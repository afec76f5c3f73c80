"""Modules that do not need PyTorch do not import it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULES = ("assign", "augment", "batches", "samples", "street_samples", "coco")


@pytest.mark.parametrize("module", [*(f"streamdet.train.{name}" for name in MODULES), "streamdet.cli.train"])
def test_importing_does_not_import_pytorch(module):
    program = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr
