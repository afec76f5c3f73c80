"""`streamdet eval`: measures the quality of results against ground truth."""

import typer

from streamdet.cli.eval.coco import coco
from streamdet.cli.eval.mot import mot
from streamdet.cli.eval.streaming import streaming
from streamdet.cli.eval.street import street

app = typer.Typer(help="Measure accuracy and tracking quality against ground truth.", no_args_is_help=True)
app.command("coco")(coco)
app.command("mot")(mot)
app.command("streaming")(streaming)
app.command("street")(street)


@app.callback()
def group() -> None:
    """Measure accuracy and tracking quality against ground truth."""
