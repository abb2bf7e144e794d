"""Render, score, compare."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from signgen.data import Corpus, open_corpus
from signgen.errors import UserError
from signgen.evaluation import (
    ClipPair,
    Evaluation,
    MetricFiles,
    Pairing,
    Protocol,
    default_workers,
    evaluate_pairs,
    write_report,
)
from signgen.evaluation.baselines import Row, copied, reconstructed, rendered, warped, write_row
from signgen.evaluation.benchmark_protocol import differences
from signgen.evaluation.benchmark_settings import PUBLISHED_FRAMES, BenchmarkSettings
from signgen.evaluation.pairing import find_clips
from signgen.evaluation.report import Comparison
from signgen.evaluation.tables import PublishedRow, read_published, table_cells
from signgen.io.atomic_files import atomic_path, locked_folder
from signgen.io.config import to_yaml
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.poses import PoseSequence
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.device import usable_device
from signgen.runtime.progress import Progress, silent


@dataclass
class Benchmark:
    """The result: our rows, the published ones, and why they do not quite compare.

    Attributes:
        columns: column of the table -> the number of ours that stands in it.
        published: the rows of the paper's table.
        rows: our rows, name -> scores; the last is the one the benchmark is about.
        speeds: frames a second that rendering a row took; NaN where nothing was rendered.
        warnings: in what the run differs from the paper's.
    """

    columns: dict[str, str]
    published: list[PublishedRow]
    rows: dict[str, Evaluation]
    speeds: dict[str, float]
    warnings: list[str]

    def value(self, row: str, column: str) -> float:
        """What stands in a column of one of our rows, NaN where it was not computed."""
        score = self.rows[row].scores.get(self.columns[column])  # of no number, where the column is to stay empty
        return math.nan if score is None else score.value

    def values(self) -> dict[str, dict[str, float]]:
        """Row of ours -> column -> value."""
        return {row: {column: self.value(row, column) for column in self.columns} for row in self.rows}

    def remarks(self) -> list[str]:
        """What is missing from the table, and why its rows do not quite compare."""
        subject = list(self.rows.values())[-1]
        missing = [f"not computed: {name}: {reason}" for name, reason in subject.unavailable.items()]
        missing += [f"not scored: {reason}" for reason in subject.unscored.values()]
        return missing + [f"not as published: {warning}" for warning in self.warnings]

    def to_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {
            "columns": self.columns,
            "published": [
                {"method": row.method, "source": row.source}
                | {name: None if math.isnan(value) else value for name, value in row.values.items()}
                for row in self.published
            ],
            "rows": {name: result.to_dict() for name, result in self.rows.items()},
            "frames_per_second": {name: None if math.isnan(s) else s for name, s in self.speeds.items()},
            "warnings": self.warnings,
        }


class CorpusPoses(Mapping[str, PoseSequence]):
    """The poses of a corpus by the names of its clips, read when asked for."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._indices = {clip.name: index for index, clip in enumerate(corpus)}

    def __getitem__(self, name: str) -> PoseSequence:
        return self._corpus.poses(self._indices[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


def row_pairing(folder: Path, corpus: Corpus) -> Pairing:
    """What `write_row` wrote into `folder`, beside the corpus's own frames."""
    return Pairing([ClipPair(clip.name, folder / clip.name, clip.frames) for clip in corpus], [], [])


def score_row(folder: Path, corpus: Corpus, metrics: Sequence[str]) -> Evaluation:
    """Scores of what `write_row` wrote into `folder`, without frame 0, which was given."""
    return evaluate_pairs(row_pairing(folder, corpus), CorpusPoses(corpus), Protocol(start=1), metrics=metrics)


def run_benchmark(settings: BenchmarkSettings, progress: Progress = silent) -> Benchmark:
    """Render what is not rendered yet, score all rows, and write `benchmark.json` and `report.html`.

    progress: wraps the clips of each row, given their number and what happens to them. Raises UserError for a corpus,
    model or table that cannot be used.
    """
    with locked_folder(Path(settings.output)):
        return _benchmark(settings, progress)


def _benchmark(settings: BenchmarkSettings, progress: Progress) -> Benchmark:
    published = read_published(Path(settings.paper.table)) if settings.paper.table else []
    corpus = open_clips(settings)
    poses, output = CorpusPoses(corpus), Path(settings.output)
    pairings, speeds, sampling = render_rows(settings, corpus, progress)
    device = str(usable_device(settings.device))
    weights, against = (
        {name: Path(path) for name, path in given.items()} for given in (settings.weights, settings.fid_against)
    )
    rows, files = {}, MetricFiles(weights, against, settings.estimator)
    for name, pairing in pairings.items():
        rows[name] = evaluate_pairs(
            pairing,
            poses,
            Protocol(settings.start, settings.resize),
            metrics=settings.metrics,
            device=device,
            workers=default_workers(len(pairing.pairs)),
            progress=partial(_named, progress, name),
            rows=output / "scores" / name,
            files=files,
            speakers={clip.name: clip.speaker for clip in corpus if clip.speaker},
        )
    subject = rows[settings.subject]
    columns = settings.paper.columns or {n: n for n, quantity in subject.tabled.items() if quantity.better}
    result = Benchmark(columns, published, rows, speeds, differences(settings, subject, sampling))
    write_report(
        output / "report.html",
        subject,
        pairings[settings.subject],
        poses,
        f"signgen benchmark: {settings.subject}",
        Comparison(table_cells(published, result.values()), result.remarks()),
    )
    with atomic_path(output / "benchmark.json") as temporary:
        temporary.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    with atomic_path(output / "config.yaml") as temporary:
        temporary.write_text(to_yaml(settings), encoding="utf-8")
    return result


def open_clips(settings: BenchmarkSettings) -> Corpus:
    """The clips to be scored. UserError for two of one name."""
    corpus = open_corpus(settings.roots, settings.split)
    corpus = corpus[: settings.clips] if settings.clips else corpus
    names = [clip.name for clip in corpus]
    if not names:
        raise UserError(f"{' + '.join(settings.roots)}: split {settings.split} has no clips")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{' + '.join(settings.roots)}: two clips are called {twice}")
    return corpus


def render_rows(
    settings: BenchmarkSettings, corpus: Corpus, progress: Progress
) -> tuple[dict[str, Pairing], dict[str, float], dict[str, object]]:
    """Every row's clips beside the references, the speed of rendering them, and what the model rendered with."""
    output = Path(settings.output) / "rows"
    origin: dict[str, object] = {"roots": settings.roots, "split": settings.split}
    pairings, speeds, sampling = {}, {}, {}
    makers: dict[str, tuple[Row, dict[str, object]]] = {
        "first frame copied": (copied, {}),
        "first frame warped": (warped, {}),
    }
    if not settings.frames or "autoencoder" in settings.calibration:
        folder = model_folder(settings.model)
        pipeline = load_pipeline(folder, settings.device, torch.float32)
        model: dict[str, object] = {"model_sha256": model_hash(folder)}
        makers["autoencoder"] = (reconstructed(pipeline, settings.fit), model | {"fit": settings.fit})
        if not settings.frames:
            options = settings.rendering
            sampling = pipeline.sampling_options(**settings.sampling)
            row = rendered(pipeline, **options, batch_size=settings.batch_size)
            makers[settings.subject] = (row, model | options)
    published = [PUBLISHED_FRAMES] if settings.paper.published_frames else []
    for name in [*settings.calibration, *published, settings.subject]:
        if name == "ground truth":
            pairings[name] = Pairing([ClipPair(clip.name, clip.frames, clip.frames) for clip in corpus], [], [])
        elif name in makers:
            row, made_with = makers[name]
            speeds[name] = write_row(row, corpus, output / name, origin | made_with, progress)
            pairings[name] = row_pairing(output / name, corpus)
        else:
            clips = settings.paper.published_frames if name == PUBLISHED_FRAMES else settings.frames
            pairings[name] = pair_with(find_clips(Path(clips)), corpus)
    return pairings, speeds, sampling


def pair_with(clips: Mapping[str, Path], corpus: Corpus) -> Pairing:
    """Clips that some system rendered, with the corpus's clips of the same names. UserError where there are none."""
    names = {clip.name for clip in corpus}
    pairs = [ClipPair(clip.name, clips[clip.name], clip.frames) for clip in corpus if clip.name in clips]
    if not pairs:
        raise UserError(f"no rendered clip ({min(clips)}, ...) is called as one of the corpus ({min(names)}, ...)")
    return Pairing(pairs, sorted(clips.keys() - names), sorted(names - clips.keys()))


def _named(progress: Progress, row: str, items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
    """As `progress`, which says what happens in which row."""
    return progress(items, total, f"{what} {row}")
