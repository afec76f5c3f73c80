"""Fixtures for tests that need a GPU; they skip with the reason."""

import pytest

from streamdet.inference.providers import Provider, ProviderMissing, load_libraries, missing_driver


def skip_without(provider):
    if (reason := missing_driver()) is not None:
        pytest.skip(reason)
    try:
        load_libraries(provider)
    except ProviderMissing as error:
        pytest.skip(error.reason)


@pytest.fixture
def cuda():
    skip_without(Provider.CUDA)
    return Provider.CUDA


@pytest.fixture
def tensorrt(monkeypatch, tmp_path):
    skip_without(Provider.TENSORRT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # engines of other runs must not be reused
    return Provider.TENSORRT
