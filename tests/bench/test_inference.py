"""`models benchmark`: what it measures, what it leaves out and why, and its chain of convolutions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from streamdet.bench import candidates as parts
from streamdet.bench import inference, roofline
from streamdet.bench.candidates import baselines, load_benchmarked_model, make_candidates
from streamdet.bench.inference import InferenceTiming, measure
from streamdet.cli.models import app
from streamdet.errors import HardwareError
from streamdet.inference.providers import Precision, Provider, missing_driver
from streamdet.models.onnx_file import ModelFile
from streamdet.models.operation_count import count_operations
from streamdet.openvino_runtime import has_openvino


@pytest.fixture
def small_chain(monkeypatch):
    """Makes the chain small, for tests that only need it to run."""
    real = roofline.chain_runner
    monkeypatch.setattr(inference, "chain_runner", lambda *given: real(*given, shape=(8, 16)))


def invoke(*arguments):
    result = CliRunner().invoke(app, ["benchmark", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_chain_does_the_stated_arithmetic():
    assert count_operations(roofline.convolution_chain(Precision.FP32)).gflops == pytest.approx(roofline.CHAIN_GFLOP)
    quantized = count_operations(roofline.convolution_chain(Precision.INT8))
    assert quantized.gflops == quantized.integer / 1e9 == pytest.approx(roofline.CHAIN_GFLOP)


@pytest.mark.parametrize("weights", [Precision.FP32, Precision.FP16, Precision.INT8])
def test_chain_runs_in_every_precision(weights):
    run = roofline.chain_runner("cpu", "auto", weights, 1, (8, 16))
    (mean,) = run().values()
    assert mean.shape == (1, 8, 1, 1)
    assert np.isfinite(mean).all()
    assert mean.any()  # otherwise a runtime might skip arithmetic


def test_copy_bandwidth_is_plausible():
    assert 0.1 < roofline.copy_bandwidth(1, megabytes=16, rounds=3) < 10000


def test_ratios_of_a_timing():
    row = InferenceTiming("net", "cpu", "fp32", 200.0, 220.0, 3.0, 1.0, gflop=10.0, gflops=50.0, machine_gflops=100.0)
    assert row.overhead == pytest.approx(0.02)
    assert row.floor_ms == pytest.approx(100)


def test_stages_and_batches_are_measured(data_dir, small_chain):
    given = load_benchmarked_model(data_dir / "models" / "yolox_nano.onnx")
    ours, skipped = make_candidates([given], [Provider.CPU], ())
    assert [(c.runs_on, c.precision) for c in ours] == [("cpu", "fp32")]
    assert skipped == []
    candidates = [*ours, *baselines(ours[0], against_openvino=False)]
    assert [c.runs_on for c in candidates] == ["cpu", "plain onnxruntime"]
    row, baseline = measure(candidates, 3, (1, 4))
    assert min(row.preprocess_ms, row.median_ms, row.postprocess_ms, row.machine_gflops) > 0
    assert row.median_ms <= row.p95_ms
    assert [count for count, _ in row.images_per_s] == [1]  # its batch is fixed
    assert baseline.preprocess_ms == baseline.machine_gflops == 0


def test_unsupported_precisions_are_reported_only_if_requested(data_dir):
    given = load_benchmarked_model(data_dir / "models" / "yolox_nano.onnx")
    _, skipped = make_candidates([given], [Provider.CPU], [Precision.FP32, Precision.BF16])
    assert len(skipped) == 1
    assert skipped[0].startswith("cpu in bf16: the cpu provider cannot compute in bf16")


def test_model_that_a_provider_does_not_support_is_reported(data_dir):
    """Otherwise the table would be empty without a reason."""
    unsigned = roofline.convolution_chain(Precision.INT8, 8, 16).SerializeToString()
    given = replace(
        load_benchmarked_model(data_dir / "models" / "yolox_nano.onnx"), file=ModelFile(unsigned, "net.onnx")
    )
    found, skipped = make_candidates([given], [Provider.TENSORRT], ())
    assert found == []
    assert len(skipped) == 1
    assert skipped[0].startswith("tensorrt in auto: net.onnx is quantized for CPUs")


@pytest.mark.skipif(not has_openvino(), reason="the package openvino is not installed")
def test_openvino_agrees_with_its_own_runtime(data_dir):
    given = load_benchmarked_model(data_dir / "models" / "yolox_nano.onnx")
    (ours,), _ = make_candidates([given], [Provider.OPENVINO], [Precision.FP32])
    (baseline,) = baselines(ours, against_openvino=True)
    assert (baseline.runs_on, baseline.precision) == ("plain openvino", "fp32")
    batch = parts.batch_of(given, 1)
    (theirs,) = baseline.infer(batch).values()
    np.testing.assert_allclose(ours.infer(batch)["output"], theirs, rtol=1e-3, atol=1e-3)


def test_command_prints_table_and_json(data_dir, small_chain):
    path = str(data_dir / "models" / "yolox_nano.onnx")
    text = invoke(path, "-n", "2", "--provider", "cpu", "--provider", "tensorrt", "--batch", "1")
    assert "cpu fp32" in text
    assert "of the machine" in text
    assert "GB/s" in text
    if missing_driver() is not None:
        assert "skipped: tensorrt: " in text
    read = json.loads(invoke(path, "-n", "2", "--provider", "cpu", "--no-roofline", "--json"))
    assert [row["runs_on"] for row in read["rows"]] == ["cpu", "plain onnxruntime"]
    assert read["copy_gb_per_s"] == 0


def test_missing_hardware_is_an_error(data_dir):
    if missing_driver() is None:
        pytest.skip("this machine has an NVIDIA driver")
    path = str(data_dir / "models" / "yolox_nano.onnx")
    with pytest.raises(HardwareError, match="nothing to measure: cuda: "):
        invoke(path, "--provider", "cuda")
