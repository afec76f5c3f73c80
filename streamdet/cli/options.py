"""Options that several commands share."""

from typing import Annotated

import typer

MODEL_HELP = "Detector: a known name, an .onnx file or a .yaml description."
PROVIDER_HELP = "Inference backend: auto, cuda, tensorrt, openvino or cpu."
PRECISION_HELP = "Arithmetic: auto, fp32, fp16, bf16 or int8."
THREADS_HELP = "CPU threads for inference; 0: chosen automatically."
CONTRACT_HELP = "Format of the model's outputs; default: recognized."
NMS_HELP = "NMS threshold: IoU above which the weaker box is removed; default: the model's."

Model = Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help=MODEL_HELP)]
OptionalModel = Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help=MODEL_HELP)]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Provider = Annotated[str, typer.Option("--provider", "-d", "--device", help=PROVIDER_HELP)]
Precision = Annotated[str, typer.Option("--precision", help=PRECISION_HELP)]
Threads = Annotated[int, typer.Option("--threads", min=0, help=THREADS_HELP)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoProgress = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]
