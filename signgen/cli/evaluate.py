"""`signgen evaluate`: scores of generated clips against reference clips."""

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from signgen.cli.console import BASICS, FILES, MACHINE, NETWORKS, Json, announce, report, track
from signgen.errors import UserError
from signgen.io.limits import read_text

if TYPE_CHECKING:
    from signgen.evaluation import Evaluation

ARROW = {"higher": "↑", "lower": "↓", "nearer to 0": "→0", "": ""}


def evaluate(
    generated: Annotated[
        Path, typer.Argument(metavar="GENERATED", help="A video, a folder of images, or a tree of them.")
    ],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Likewise; trees are paired by name.")],
    poses: Annotated[
        Path | None,
        typer.Option(
            help="The reference's poses: a file, a file of many clips, or a folder with a file per clip.",
            rich_help_panel=BASICS,
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B,...", help="Which metrics; 'all' for all of them.", rich_help_panel=BASICS),
    ] = None,
    start: Annotated[
        int,
        typer.Option(
            "--from",
            min=0,
            metavar="N",
            help="First frame that counts; 1 skips the source frame.",
            rich_help_panel=BASICS,
        ),
    ] = 0,
    resize: Annotated[
        bool,
        typer.Option(
            "--resize", help="Resize generated frames to the reference's size (bicubic).", rich_help_panel=BASICS
        ),
    ] = False,
    per_clip: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write one row per clip.", rich_help_panel=FILES)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="OUT.html", help="Write a page with plots and the worst clips.", rich_help_panel=FILES
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="FOLDER", help="Keep clips' scores here and go on from them.", rich_help_panel=FILES
        ),
    ] = None,
    speakers: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="Totals per signer: a CSV with columns name and speaker.", rich_help_panel=BASICS
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK=FILE",
            help="Weights of a metric's network, instead of a package's.",
            rich_help_panel=NETWORKS,
        ),
    ] = None,
    estimator: Annotated[
        Literal["mediapipe", "mmpose"],
        typer.Option(
            help="Finds the hands for hand-pe; mmpose needs --weights hrnet-wholebody=CHECKPOINT.",
            rich_help_panel=NETWORKS,
        ),
    ] = "mediapipe",
    fid_against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="FID and KID against these frames too: a file of `data features`.",
            rich_help_panel=NETWORKS,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that score; without it one per core for many clips.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where metrics compute: cpu, cuda, ..., auto.", rich_help_panel=MACHINE)
    ] = "cpu",
    as_json: Json = False,
) -> None:
    """Score generated clips against reference clips, every number with its protocol. Example:

    signgen evaluate out.mp4 reference.mp4 --poses poses.npz --from 1
    """
    if html is not None and (html.suffix.lower() != ".html" or html.is_dir()):
        raise UserError(f"{html}: the report is a page; give a name that ends in .html")
    from signgen.io.atomic_files import check_writable
    from signgen.runtime.device_name import check_device

    for written in filter(None, (html, per_clip)):
        check_writable(written)
    check_device(device)
    from signgen.evaluation import MetricFiles, Protocol, default_workers, evaluate_pairs, pair_clips, write_report
    from signgen.metrics import DEFAULT_METRICS, METRICS
    from signgen.runtime.device import usable_device

    names = [name.strip() for name in ",".join(metrics or DEFAULT_METRICS).split(",") if name.strip()]
    place = str(usable_device(device))
    pairing = pair_clips(generated, reference)
    result = evaluate_pairs(
        pairing,
        poses,
        Protocol(start, resize),
        metrics=list(METRICS) if names == ["all"] else names,
        device=place,
        workers=default_workers(len(pairing.pairs)) if workers is None else min(workers, len(pairing.pairs)),
        progress=partial(track, unit="clips"),
        rows=rows,
        speakers=None if speakers is None else read_speakers(speakers),
        files=MetricFiles(named_files("--weights", weights), named_files("--fid-against", fid_against), estimator),
    )
    if per_clip is not None:
        result.write_csv(per_clip)
    if html is not None:
        announce(f"Writing {html}")
        write_report(html, result, pairing, poses, title=f"{generated.name} against {reference.name}")
    report(result.to_dict(), as_json, describe(result))


def describe(result: "Evaluation") -> str:
    """The table, and what was left out."""
    frames = sum(clip.frames for clip in result.clips)
    lines = [
        f"{_counted(len(result.clips), 'clip')}, {_counted(frames, 'frame')} "
        f"({result.protocol['frames']}) of {', '.join(result.protocol['sizes'])}; "
        f"resizing: {result.protocol['resizing']}",
        "",
        f"{'':24} {'value':>9}  {'95 % interval':>19}  {'values':>8}",
    ]
    for name, quantity in result.tabled.items():
        score = result.scores[name]
        interval = f"{score.low:.4f} .. {score.high:.4f}" if score.low == score.low else "-"
        value = f"{score.value:.4f}" if score.value == score.value else "-"
        title = " ".join(filter(None, [name, ARROW[quantity.better], quantity.unit]))
        count = f"{score.count:>8}  per {quantity.per}: {quantity.protocol}"
        lines.append(f"{title:24} {value:>9}  {interval:>19}  {count}")
    for speaker, scores in result.by_speaker().items():
        known = {name: scores[name].value for name in result.tabled if name in scores}
        values = (f"{name} {value:.4f}" for name, value in known.items() if value == value)
        lines.append(f"{speaker}: {', '.join(values)}")
    lines += [f"{name}: not computed: {reason}" for name, reason in result.unavailable.items()]
    lines += [f"not scored: {reason}" for reason in result.unscored.values()]
    for side, names in (("generated", result.only_generated), ("reference", result.only_reference)):
        if names:
            some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            lines.append(f"not paired: {len(names)} {side} clips: {some}")
    return "\n".join(lines)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def read_speakers(path: Path) -> dict[str, str]:
    """Clip -> signer from a table with a header, its columns apart by `|` (as Phoenix-2014T's) or by commas."""
    try:
        lines = read_text(path, "utf-8-sig").splitlines()
        delimiter = "|" if lines and "|" in lines[0] else ","
        return {
            row["name"]: row["speaker"] for row in csv.DictReader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        }
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: cannot read a table with columns name and speaker ({error})") from error


def named_files(option: str, values: list[str] | None) -> dict[str, Path]:
    """NAME=FILE, several times, as name -> path. UserError for anything else and for files that do not exist."""
    found = {}
    for value in values or []:
        name, equals, file = value.partition("=")
        if not (name and equals and file):
            raise UserError(f"{option} {value}: expected NAME=FILE")
        if not Path(file).is_file():
            raise UserError(f"{option} {value}: there is no such file")
        found[name] = Path(file)
    return found
