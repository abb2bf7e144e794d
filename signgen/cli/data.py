"""`signgen data`: what is in a corpus, what is wrong with it, and lists of its pairs."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from signgen.cli.console import Json, parse_size, report, track
from signgen.errors import UserError

if TYPE_CHECKING:
    from signgen.data import Corpus
    from signgen.data.corpus_summary import Summary

INCONSISTENT = 2  # exit status: something that the user can mend

Root = Annotated[str, typer.Argument(help="The folder of the corpus; several with + between them.")]
Split = Annotated[str | None, typer.Option(help="train, dev, test, or the name of a folder of clips.")]
Layout = Annotated[str, typer.Option(help="auto, synthetic-signers, phoenix14t, deepfashion or folder.")]

app = typer.Typer(help="Corpora: what is in them, what is wrong with them, pairs of their frames.")


@app.command()
def info(root: Root, split: Split = None, layout: Layout = "auto", as_json: Json = False) -> None:
    """Summarise a corpus: clips, frames, speakers, sizes."""
    from signgen.data.corpus_summary import summarise

    summary = summarise(_open(root, split, layout))
    report({"corpus": root, "split": split, **asdict(summary)}, as_json, _describe(summary))


@app.command()
def check(
    root: Root,
    split: Split = None,
    layout: Layout = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Decode only the first frame of each clip.")] = False,
    as_json: Json = False,
) -> None:
    """Find what is missing or inconsistent, file by file. Exit status 2 if anything is."""
    from signgen.data.corpus_check import check_corpus

    corpus = _open(root, split, layout)
    problems = check_corpus(corpus, decode=not quick)
    lines = [f"{problem.file}: {problem.message}" for problem in problems]
    wrong = len({problem.clip for problem in problems})
    lines.append(f"{len(corpus)} clips, {len(problems)} problems in {wrong} of them")
    found = [{**asdict(problem), "file": str(problem.file)} for problem in problems]
    report({"corpus": root, "split": split, "clips": len(corpus), "problems": found}, as_json, "\n".join(lines))
    if problems:
        raise typer.Exit(INCONSISTENT)


@app.command()
def pairs(
    root: Root,
    output: Annotated[Path, typer.Option("--output", "-o", help="The CSV to write: clip,source,target.")],
    split: Split = None,
    layout: Layout = "auto",
    count: Annotated[int, typer.Option(min=1, max=100_000_000, help="Number of random pairs.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pairs.")] = 0,
    first_frame: Annotated[
        bool,
        typer.Option("--first-frame", help="The test protocol: each clip's first frame with all its frames."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write pairs of frames inside clips: random ones for training, or those of the test protocol."""
    from signgen.data.pair_lists import clip_lengths, first_frame_pairs, random_pairs, write_pairs

    corpus = _open(root, split, layout)
    lengths = clip_lengths(corpus)
    triples = first_frame_pairs(lengths) if first_frame else random_pairs(lengths, count, seed)
    written = write_pairs(output, corpus, triples)
    result = {
        "output": str(output),
        "pairs": written,
        "clips": len(corpus),
        "seed": None if first_frame else seed,
    }
    report(result, as_json, f"{output}: {written} pairs in {len(corpus)} clips")


@app.command()
def features(
    root: Root,
    output: Annotated[Path, typer.Option("--output", "-o", help="*.npz, for `evaluate --fid-against`.")],
    split: Split = None,
    layout: Layout = "auto",
    network: Annotated[Literal["tensorflow", "torchvision"], typer.Option(help="Whose Inception.")] = "tensorflow",
    weights: Annotated[Path | None, typer.Option(help="The network's file, instead of a package's.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Resize frames (bicubic) to that of generated ones.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    as_json: Json = False,
) -> None:
    """Write the Inception features of all frames, for FID against them: their mean, covariance and a sample."""
    if output.suffix.lower() != ".npz":
        raise UserError(f"{output}: the output is an archive of numpy; give a name that ends in .npz")
    from signgen.io.atomic_files import check_writable
    from signgen.runtime.device_name import check_device

    check_writable(output)
    check_device(device)
    corpus = _open(root, split, layout)
    from signgen.evaluation.corpus_features import write_corpus_features
    from signgen.metrics import FID
    from signgen.runtime.device import usable_device

    metric = FID(variant=network, weights=weights).to(usable_device(device))
    count = write_corpus_features(output, corpus, metric, parse_size(size), partial(track, unit="clips"))
    result = {"output": str(output), "frames": count, "clips": len(corpus), "network": metric.network}
    report(result, as_json, f"{output}: features of {count} frames in {len(corpus)} clips; {metric.network}")


def _open(root: str, split: str | None, layout: str) -> "Corpus":
    from signgen.data import open_corpus

    corpus = open_corpus(root, split, layout=layout)
    if not len(corpus):
        raise UserError(f"{root}: the split {split!r} has no clips")
    return corpus


def _describe(summary: "Summary") -> str:
    """The summary as aligned lines."""
    lines = {
        "clips": f"{summary.clips}, {summary.with_poses} with poses",
        "frames": f"{summary.frames} ({summary.seconds / 60:.1f} minutes)",
        "a clip": f"{summary.shortest} to {summary.longest} frames, median {summary.median:g}",
        "sizes": _shares(summary.sizes),
        "fps": _shares(summary.fps),
        "speakers": f"{len(summary.speakers)}",
    }
    return "\n".join(f"{name:9} {text}" for name, text in lines.items())


def _shares(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} ({count})" if len(counts) > 1 else value for value, count in counts.items())
