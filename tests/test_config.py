"""The configuration: defaults, overriding, errors that name the key, the value and the fix, and removed keys."""

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from streamdet.config import RENAMED, Config, TrackerConfig, load_config, parse_config
from streamdet.errors import ConfigError, UsageError

CONFIGS = Path(__file__).parent.parent / "configs"


def keys(tree, prefix=""):
    found = set()
    for key, value in tree.items():
        found.add(f"{prefix}{key}")
        if isinstance(value, dict):
            found |= keys(value, f"{prefix}{key}.")
    return found


def test_default_yaml_equals_the_defaults_in_the_code():
    manual = yaml.safe_load((CONFIGS / "default.yaml").read_text())
    code = TypeAdapter(Config).dump_python(Config(), mode="json")
    assert keys(manual) == keys(code)
    assert manual == code
    assert load_config(CONFIGS / "default.yaml") == Config()


@pytest.mark.parametrize(("low", "conf"), [(0.35, 0.5), (0.21, 0.3), (0.1, 0.5), (0.0, 0.01), (0.7, 1.0)])
def test_low_score_is_used_as_given(low, conf):
    assert TrackerConfig(low_score=low).options(conf).low_score == pytest.approx(low)


def test_a_low_score_above_the_limit_is_an_error_that_names_the_fix():
    from streamdet.build import build

    tree = {"sources": ["synthetic:shapes?frames=3"], "detector": {"conf": 0.5}, "tracker": {"low_score": 0.4}}
    with pytest.raises(ConfigError) as refused:
        build(parse_config(tree))
    assert str(refused.value) == (
        "tracker.low_score: 0.4 is above 0.35, 0.7 of detector.conf (0.5): lower it, raise detector.conf (--conf),"
        " or leave it out for 0.2"
    )


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_config_loads(path):
    load_config(path)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"tracker": {"low_score": 0.8}},
            "tracker.low_score must be at least 0 and at most 0.7 of detector.conf, which is at most 1, got 0.8",
        ),
        ({"modell": "x"}, "modell: unknown key; did you mean 'model'?"),
        ({"conf": 0.5}, "conf: unknown key; did you mean 'detector.conf'?"),
        ({"classes": ["person"]}, "classes: unknown key; did you mean 'detector.classes'?"),
        ({"detector": {"confidence": 0.3}}, "detector.confidence: unknown key; did you mean 'conf'?"),
        (
            {"detector": {"xyz": 1}},
            "detector.xyz: unknown key; known keys here: batch_wait_ms, class_agnostic_nms,",
        ),
        ({"sources": {"a": {"url": "0", "sise": [1, 2]}}}, "sources.0.sise: unknown key; did you mean 'size'?"),
        ({"source": {"backoff": {"frist_s": 1}}}, "source.backoff.frist_s: unknown key; did you mean 'first_s'?"),
        ({"sources": [{"name": "a"}]}, "sources.0.url: is missing"),
        ({"mode": "fast"}, "mode: 'fast' is not valid; use one of 'auto', 'every-frame', 'live' or 'smooth'"),
        ({"max_frames": "many"}, "max_frames: 'many' is not valid; give a whole number"),
        ({"max_frames": 1.5}, "max_frames: 1.5 is not valid; give a whole number"),
        ({"max_frames": -1}, "max_frames must be 0 (no limit) or more, got -1"),
        ({"duration_s": float("nan")}, "duration_s must be 0 (no limit) or more, got nan"),
        ({"show": "maybe"}, "show: 'maybe' is not valid; give true or false"),
        ({"model": ["a"]}, "model: ['a'] is not valid; give text"),
        ({"source": 5}, "source: 5 is not valid; give keys and values below it"),
        ({"source": {"size": "big"}, "sources": ["0", "1"]}, "source.size: 'big' is not valid; write for example"),
        ({"source": {"fps": "x"}, "sources": ["0", "1"]}, "source.fps: 'x' is not valid; give a number"),
        ({"sources": [{"url": "0", "size": "1x"}]}, "sources.0.size: '1x' is not valid"),
        ({"detector": {"threads": -1}}, "threads must be 0 (automatic) or up to 1024, got -1"),
        ({5: 1}, "5: 5 is not valid; give text as the key"),
        ({"detector": {"conf": 1.5}}, "conf must be at least 0 and less than 1, got 1.5"),
        ({"recording": {"quality": 99}}, "quality must be 0 to 51, got 99"),
        ({"detector": {"niceness": 20}}, "niceness must be from 0 to 19, got 20"),
        (
            {"source": {"detect": {"region": [0, 0, 0, 1]}}},
            "detect.region must be left, top, right, bottom as fractions",
        ),
        ({"source": {"detect": {"region": [0, 0, 1.1, 1]}}}, "write for example [0, 0.5, 1, 1] for the lower half"),
        ({"source": {"detect": {"max_hz": -1}}}, "detect.max_hz must be 0 (no limit) or more, got -1"),
        ({"source": {"detect": {"priority": 0}}}, "detect.priority must be greater than 0 and at most 1000, got 0"),
        ({"source": {"detect": {"redetect_s": float("nan")}}}, "detect.redetect_s must be greater than 0"),
        ({"source": {"detect": {"hz": 1}}}, "source.detect.hz: unknown key; did you mean 'max_hz'?"),
        ({"sources": 7}, "sources: expected 'name: url' pairs"),
        ({"detector": 3}, "give keys and values below it: batch_wait_ms, class_agnostic_nms"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_config_names_key_value_and_fix(tree, message):
    with pytest.raises(UsageError) as caught:
        parse_config(tree)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("old", "new"), RENAMED.items(), ids=RENAMED)
def test_a_removed_key_is_an_error_that_names_the_new_one(old, new):
    with pytest.raises(ConfigError) as caught:
        parse_config(nested(old, 1))
    assert str(caught.value) == f"{old}: unknown key; it was renamed to {new}"
    known = keys(TypeAdapter(Config).dump_python(Config(), mode="json"))
    assert new in known
    assert old not in known


def test_a_removed_key_of_one_source_is_found_by_its_name_under_source(monkeypatch):
    monkeypatch.setitem(RENAMED, "source.detect.every_s", "source.detect.max_hz")
    with pytest.raises(ConfigError) as caught:
        parse_config({"sources": [{"url": "0", "detect": {"every_s": 1}}]})
    assert str(caught.value) == "sources.0.detect.every_s: unknown key; it was renamed to source.detect.max_hz"


def nested(key, value):
    """Returns the tree in which the dotted `key` has this value."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def test_errors_contain_no_passwords():
    with pytest.raises(UsageError) as caught:
        parse_config({"sources": {"a": {"url": ["rtsp://u:c4nary@h/x"]}}})
    assert "c4nary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not valid YAML"),
        ("- a\n- b", "must hold keys and values"),
        ("a: &x [1]\nb: *x", "aliases (*name) are not supported"),
        ("!!python/object/apply:os.system ['true']", "is not valid YAML"),
        ("#" * 300_000, "at most 262144 bytes are read"),
    ],
    ids=["broken", "list", "alias", "tag", "huge"],
)
def test_unusable_files_are_errors(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert message in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.yaml: No such file"):
        load_config(tmp_path / "none.yaml")


def test_sources_accept_every_notation():
    defaults = {"source": {"fps": 5}}
    for sources in ("0", ["0"], [0], {"cam": "0"}, {"cam": {"url": "0"}}, [{"url": "0", "name": "cam"}]):
        (source,) = parse_config({**defaults, "sources": sources}).sources
        assert (source.url, source.fps) == ("0", 5)
        assert source.name in (None, "cam")
    (source,) = parse_config({**defaults, "sources": {"cam": {"url": "0", "fps": 9}}}).sources
    assert source.fps == 9


def test_a_size_is_written_with_an_x():
    config = parse_config({"source": {"size": "1280x720"}, "sources": ["0", {"url": "1", "size": "640x480"}]})
    assert [source.size for source in config.sources] == [(1280, 720), (640, 480)]


def test_empty_keys_keep_their_defaults():
    empty = {"source": None, "sources": None, "detector": None, "mode": None, "outputs": None}
    assert parse_config(empty) == parse_config({})


def test_a_single_output_needs_no_list():
    assert parse_config({"outputs": "out.mp4"}).outputs == ["out.mp4"]


def test_command_line_values_override_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: a\ndetector: {conf: 0.2, iou: 0.4}\noutputs: [x.mp4]\nsources: {a: b.mp4}\n")
    typed = {"model": "b", "detector": {"conf": 0.3, "iou": None}, "outputs": [], "sources": []}
    config = load_config(path, typed)
    assert (config.model, config.detector.conf, config.detector.iou) == ("b", 0.3, 0.4)
    assert config.outputs == ["x.mp4"]
    assert config.sources[0].name == "a"


def test_command_line_values_override_empty_keys_of_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("sources: [a.mp4]\ndetector:\n  # conf: 0.5\nsource:\n  detect:\n    # max_hz: 3\n")
    config = load_config(path, {"detector": {"conf": 0.3}, "source": {"detect": {"max_hz": 4.0}}})
    assert config.detector.conf == 0.3
    assert config.sources[0].detect.max_hz == 4.0


def test_command_line_source_options_override_those_of_each_source(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("sources: {door: {url: '0', size: [640, 480], fps: 5}}\n")
    (source,) = load_config(path, {"source": {"size": "1280x720", "fps": None}}).sources
    assert (source.size, source.fps) == ((1280, 720), 5)


def test_the_repr_of_a_config_contains_no_passwords():
    assert "c4nary" not in repr(parse_config({"sources": ["rtsp://u:c4nary@h/x"]}))


def test_a_source_inherits_the_options_it_does_not_set(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "source: {detect: {max_hz: 5, gate: true}}\nsources: {a: {url: '0', detect: {priority: 2}}, b: '1'}\n"
    )
    typed = {"source": {"detect": {"max_hz": 3.0, "region": None, "gate": None}}}
    a, b = load_config(path).sources
    assert (a.detect.max_hz, a.detect.gate, a.detect.priority) == (5, True, 2)
    assert (b.detect.max_hz, b.detect.gate, b.detect.priority) == (5, True, 1)
    a, b = load_config(path, typed).sources
    assert (a.detect.max_hz, a.detect.gate, a.detect.priority) == (3, True, 2)
    assert load_config(path, {"source": {"detect": {"gate": None}}}) == load_config(path)
