"""The detectors bundled with the package."""

import pytest

from streamdet.errors import ModelError
from streamdet.models.bundled import ABOUT, BUNDLED_MODELS, DEMO_MODEL, SHAPES_MODEL, bundled_model
from streamdet.models.catalog import resolve_model
from streamdet.models.model_cache import refuse_download
from streamdet.models.ssd_small import SmallSsdConfig, small_ssd_spec
from streamdet.scenes.shapes import LABELS as SHAPE_LABELS
from streamdet.scenes.street.trajectories import LABELS


@pytest.mark.parametrize(("name", "labels"), [(DEMO_MODEL, LABELS), (SHAPES_MODEL, SHAPE_LABELS)])
def test_bundled_models_need_no_download(name, labels):
    spec, file = resolve_model(name, download=refuse_download)
    assert (spec.name, spec.labels, file.name) == (name, labels, name)
    assert len(file.data) > 1000
    assert not spec.random_weights
    assert spec.about


def test_demo_detector_is_a_self_describing_small_ssd():
    spec, _ = bundled_model(DEMO_MODEL)
    plan = SmallSsdConfig(LABELS)
    wanted = small_ssd_spec(plan, DEMO_MODEL)
    assert (spec.width, spec.height, spec.mean, spec.std) == (wanted.width, wanted.height, wanted.mean, wanted.std)
    assert spec.default_boxes == plan.grids
    assert spec.about == ABOUT[DEMO_MODEL]
    assert set(ABOUT) == set(BUNDLED_MODELS)


def test_file_overrides_bundled_name_but_folder_does_not(tmp_path, monkeypatch):
    """As for known models, a file with the name of a model is used, but a folder is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEMO_MODEL).mkdir()
    assert resolve_model(DEMO_MODEL)[0].name == DEMO_MODEL
    (tmp_path / DEMO_MODEL).rmdir()
    (tmp_path / DEMO_MODEL).write_bytes(b"something else")
    with pytest.raises(ModelError, match=DEMO_MODEL):
        resolve_model(DEMO_MODEL)
