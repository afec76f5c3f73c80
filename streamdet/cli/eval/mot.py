"""`streamdet eval mot`: measures tracking quality on MOTChallenge sequences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.evaluate.mot_run import MotJob, MotRun
    from streamdet.sinks.output_path import InputFiles


def mot(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="MOTChallenge sequence (gt, det, seqinfo.ini), or a folder of them."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", "-a", metavar="FILE", help="Ground truth (gt.txt), instead of a folder.")
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(
            "--tracks",
            metavar="FILE",
            help="Tracks to evaluate: .txt, or .jsonl of `streamdet run`; for several sequences a folder of NAME.txt.",
        ),
    ] = None,
    detections: Annotated[
        Path | None, typer.Option("--detections", metavar="FILE", help="Detections (det.txt) to run the tracker on.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frame rate, if there is no seqinfo.ini.", min=0.001, max=9999)
    ] = None,
    conf: Annotated[
        float | None,
        typer.Option("--conf", help="Minimum score of an object, as in `run`; default: 0.6.", min=0.0, max=1.0),
    ] = None,
    score_range: Annotated[
        str | None,
        typer.Option("--score-range", metavar="LOW,HIGH", help="Scores of the detections to map to 0 and 1."),
    ] = None,
    iou: Annotated[float, typer.Option(help="Minimum IoU of a match, for MOTA and IDF1.", min=0.01, max=1.0)] = 0.5,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="File for the tracks; for several sequences a folder."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="JSON", help="All figures as JSON.")] = None,
) -> None:
    """Measure tracking quality on MOTChallenge sequences.

    Prints HOTA, MOTA, IDF1 and their components. Evaluates the tracks of any tracker (--tracks), or runs streamdet's
    tracker on the detections of a sequence. The output of `streamdet run --classes person -o run.jsonl` on the images
    of the sequence is accepted as tracks too.

    Examples: streamdet eval mot MOT15/train/TUD-Campus; streamdet eval mot --truth gt.txt --tracks out.txt
    """
    from streamdet.cli.eval.print_mot import print_mot_result
    from streamdet.evaluate.mot_report import write_report
    from streamdet.evaluate.mot_run import MotOptions, evaluate_mot_files
    from streamdet.sinks.output_path import InputFiles, check_output_file, check_output_folder
    from streamdet.tracking.tracker_options import TrackerOptions

    jobs, without_truth = _jobs(folder, truth, tracks, detections, fps)
    if results is not None and results == report:
        raise UsageError("--results and --report name the same file")
    read = InputFiles(
        path for job in jobs for path in (job.files.truth, job.files.detections, job.tracks) if path is not None
    )
    several = len(jobs) > 1
    if results is not None and several:
        check_output_folder(results, results)
    for path in (None if several else results, report):
        if path is not None:
            check_output_file(path, overwrite=True, inputs=read)
    options = MotOptions(
        tracker=TrackerOptions() if conf is None else TrackerOptions.for_threshold(conf),
        score_range=_parse_range(score_range),
        min_iou=iou,
    )
    run = evaluate_mot_files(jobs, options)
    written = [] if results is None else _write_tracks(run, results, several, read)
    if report is not None:
        write_report(run, options, report)
        written.append(report)
    print_mot_result(run, without_truth)  # last: a reader such as `head` may close the pipe
    for path in written:
        typer.echo(f"wrote {path}")


def _jobs(
    folder: Path | None, truth: Path | None, tracks: Path | None, detections: Path | None, fps: float | None
) -> tuple[list[MotJob], list[str]]:
    """Returns the jobs, and the names of the sequences that have no ground truth."""
    from streamdet.evaluate.mot_run import MotJob
    from streamdet.evaluate.mot_sequences import SequenceFiles, find_sequences, info_next_to

    if (folder is None) == (truth is None):
        raise UsageError(
            "give either a folder of MOTChallenge sequences, or --truth gt.txt with --tracks or --detections"
        )
    if tracks is not None and detections is not None:
        raise UsageError("give either --tracks to evaluate, or --detections to run the tracker on")
    if truth is not None:
        if tracks is None and detections is None:
            raise UsageError("--truth needs --tracks to evaluate, or --detections to run the tracker on")
        info = info_next_to(truth)
        name = info.name or (tracks or truth.resolve().parent).stem
        sequences = [SequenceFiles(name, truth, detections, info.fps, info.length)]
        without_truth: list[str] = []
    else:
        assert folder is not None
        if detections is not None:
            raise UsageError("--detections needs --truth; a folder has its own detections")
        sequences, without_truth = find_sequences(folder)
    if fps is not None:
        sequences = [replace(files, fps=fps) for files in sequences]
    if tracks is not None and tracks.is_dir():
        return [MotJob(files, tracks / f"{files.name}.txt") for files in sequences], without_truth
    if tracks is not None and len(sequences) > 1:
        raise UsageError(
            f"{folder} has {len(sequences)} sequences: give --tracks a folder with one NAME.txt per sequence"
        )
    return [MotJob(files, tracks) for files in sequences], without_truth


def _parse_range(text: str | None) -> tuple[float, float]:
    if text is None:
        return 0.0, 1.0
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--score-range {text}: expected two numbers, for example 0,100") from None
    if not -1e9 <= low < high <= 1e9:
        raise UsageError(f"--score-range {text}: the first number must be less than the second")
    return low, high


def _write_tracks(run: MotRun, results: Path, several: bool, read: InputFiles) -> list[Path]:
    """Writes the tracks of each sequence; returns the files."""
    from streamdet.evaluate.mot_text import write_tracks
    from streamdet.sinks.output_path import check_output_file

    paths = {name: results / f"{name}.txt" if several else results for name in run.shown}
    for path in paths.values():
        check_output_file(path, overwrite=True, inputs=read)
    for name, path in paths.items():
        write_tracks(path, run.shown[name])
    return list(paths.values())
