import json

import pytest

from streamdet.errors import UsageError
from streamdet.labels import COCO80, COCO90, COCO_IDS, select_classes


def test_coco_ids(data_dir):
    expected = json.loads((data_dir / "coco80_to_91.json").read_text())["contiguous_1based_to_coco_id"]
    assert {str(i + 1): coco_id for i, coco_id in enumerate(COCO_IDS)} == expected


def test_coco_names(data_dir):
    categories = json.loads((data_dir / "images" / "instances.json").read_text())["categories"]
    # This copy of the annotations has some classes' older names.
    renamed = {"aeroplane", "diningtable", "motorbike", "pottedplant", "sofa", "tvmonitor"}
    names = {c["id"]: c["name"] for c in categories if c["name"] not in renamed}
    assert len(names) == 74
    assert names.items() <= dict(zip(COCO_IDS, COCO80, strict=True)).items()
    assert all(COCO90[i - 1] == name for i, name in zip(COCO_IDS, COCO80, strict=True))
    assert (len(COCO80), len(set(COCO80)), len(COCO90)) == (80, 80, 90)


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("bicicle", "'bicycle'"),
        ("tvmonitor", "'tv'"),
        ("light", "'traffic light'"),
        ("ball", "'sports ball'"),
        ("80", "80 classes"),
    ],
)
def test_close_matches(typed, suggestion):
    with pytest.raises(UsageError) as error:
        select_classes(COCO80, ("person", typed))
    assert suggestion in str(error.value)
