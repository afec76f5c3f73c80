"""The detectors that come with the package."""

import pytest

from streamdet.errors import ModelError
from streamdet.models.bundled import ABOUT, DEMO, EMBEDDED, SHAPES, embedded
from streamdet.models.catalog import resolve
from streamdet.models.model_cache import not_here
from streamdet.models.ssd_small import Plan, spec_of
from streamdet.scenes.shapes import LABELS as SHAPE_LABELS
from streamdet.scenes.street.trajectories import LABELS


@pytest.mark.parametrize(("name", "labels"), [(DEMO, LABELS), (SHAPES, SHAPE_LABELS)])
def test_they_are_there_without_a_download(name, labels):
    spec, file = resolve(name, get=not_here)
    assert (spec.name, spec.labels, file.name) == (name, labels, name)
    assert len(file.data) > 1000
    assert not spec.random_weights
    assert spec.about


def test_the_demo_detector_is_a_small_ssd_that_describes_itself():
    spec, _ = embedded(DEMO)
    plan = Plan(LABELS)
    wanted = spec_of(plan, DEMO)
    assert (spec.width, spec.height, spec.mean, spec.std) == (wanted.width, wanted.height, wanted.mean, wanted.std)
    assert spec.default_boxes == plan.grids
    assert spec.about == ABOUT[DEMO]
    assert set(ABOUT) == set(EMBEDDED)


def test_a_file_of_that_name_wins_and_a_folder_does_not(tmp_path, monkeypatch):
    """As for known models: what lies here under a name is meant by it, but a folder is no model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEMO).mkdir()
    assert resolve(DEMO)[0].name == DEMO
    (tmp_path / DEMO).rmdir()
    (tmp_path / DEMO).write_bytes(b"something else")
    with pytest.raises(ModelError, match=DEMO):
        resolve(DEMO)
