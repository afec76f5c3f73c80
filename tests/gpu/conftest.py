"""A GPU, or a reason why there is none."""

import pytest

from streamdet.detect.providers import Provider, missing_driver, missing_library, preload, runtime


def skip_without(provider):
    if (reason := missing_driver()) is not None:
        pytest.skip(reason)
    if provider.value not in runtime().get_available_providers():
        pytest.skip(f"this ONNX Runtime is built without {provider.short}")
    preload()
    if (reason := missing_library(provider)) is not None:
        pytest.skip(reason)


@pytest.fixture
def cuda():
    skip_without(Provider.CUDA)
    return Provider.CUDA


@pytest.fixture
def tensorrt(monkeypatch, tmp_path):
    skip_without(Provider.TENSORRT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # engines of other runs must not help
    return Provider.TENSORRT
