"""The readers of files that people get from others: what they begin with, how it is mutated, and the reading itself."""

import contextlib
import io
import random
import re
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from signgen.cli.evaluate import read_speakers
from signgen.cli.models import info
from signgen.data.corpus import Clip, Corpus
from signgen.data.deepfashion_lists import read_pairs
from signgen.data.pair_lists import read_pair_list
from signgen.data.phoenix_annotations import read_annotations
from signgen.data.phoenix_labels import read_labels
from signgen.evaluation.benchmark_settings import BenchmarkSettings
from signgen.evaluation.tables import read_published, table_cells
from signgen.io.config import load_config, to_yaml
from signgen.io.json_lines import read_json_lines
from signgen.io.model_fetch import fetch_model
from signgen.io.torch_checkpoint import StoredTensor, read_checkpoint
from signgen.poses import read_poses
from signgen.poses.formats.detect import list_sequences
from signgen.rendering.render_to_file import pipeline_class
from signgen.training.checkpoint import load_checkpoint
from signgen.video import open_video, read_image
from signgen.video.images import image_size
from tests.fuzz import corpus
from tests.fuzz.corpus import Files
from tests.fuzz.mutation import mutated_bytes, mutated_gzip, mutated_json, mutated_text

Mutation = Callable[[random.Random, bytes], bytes]
ANY = re.compile("")


@dataclass(frozen=True)
class Reader:
    """seeds: folders of valid files, of which one of a name that `mutable` finds is mutated. read: is given a folder.

    cost: how many times longer than others it takes.
    """

    seeds: Callable[[], list[Files]]
    mutate: Mutation
    read: Callable[[Path], Any]
    mutable: re.Pattern[str] = ANY
    cost: int = 1


def _poses(path: Path) -> None:
    sequences = list_sequences(path)
    for read in list(sequences.values())[:3]:
        read()
    read_poses(path, name=min(sequences), size=(210, 260))


def _image(folder: Path) -> None:
    (path,) = folder.iterdir()
    image = read_image(path)
    height, width, channels = image.shape
    assert (image.dtype, channels, image_size(path)) == (np.uint8, 3, (width, height))


def _video(path: Path) -> None:
    with open_video(path) as video:
        count = len(video)
        if count:
            video.frames([0, count - 1, count // 2])
        for _ in zip(range(20), video, strict=False):
            pass


def _checkpoint(folder: Path) -> None:
    for tensors in read_checkpoint(folder / "step-00000001.pt").values():
        for stored in tensors.values() if isinstance(tensors, dict) else ():
            if isinstance(stored, StoredTensor):
                stored.read()


def _config(path: Path) -> None:
    to_yaml(load_config(BenchmarkSettings, path))


def _pair_list(path: Path) -> None:
    read_pair_list(path, Corpus(tuple(Clip(name, Path("x"), length=5) for name in "ab")))


def _table(path: Path) -> None:
    table_cells(read_published(path), {"ours": {"SSIM": 0.5}})


def _described(folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        info(str(folder), False, True)


def _fetched(folder: Path) -> None:
    content = (folder / "x.zip").read_bytes()

    class Response(io.BytesIO):
        headers = {"Content-Length": str(len(content))}  # noqa: RUF012

    opened, urllib.request.urlopen = urllib.request.urlopen, lambda *_, **__: Response(content)
    try:
        fetch_model("http://127.0.0.1/x.zip", folder / "fetched")
    finally:
        urllib.request.urlopen = opened
        left = {path.name for path in folder.iterdir()} - {"x.zip", "fetched"}
        assert not left, left


IMAGE = "fashionWOMENDressesid0000000101_1front.jpg"
TABLE = "name|video|start|end|speaker|orth|translation\n"
CONFIG = "model: mini\nroots: [a]\nsplit: test\nclips: 3\nmetrics: [SSIM, PSNR]\npaper: {table: x.csv}\noutput: out\n"
X: Callable[[Callable[[Path], Any]], Callable[[Path], Any]] = lambda read: lambda folder: read(folder / "x")  # noqa: E731

READERS: dict[str, Reader] = {
    "npy": Reader(corpus.arrays, mutated_bytes, X(_poses)),
    "npz": Reader(corpus.archives, mutated_bytes, X(_poses)),
    ".pose": Reader(lambda: [{"x": corpus.poses(".pose")["x.pose"]}], mutated_bytes, X(_poses)),
    "JSON poses": Reader(corpus.json_poses, mutated_json, X(_poses)),
    "JSON folders": Reader(lambda: [corpus.poses("")], mutated_json, _poses),
    "DeepFashion rows": Reader(corpus.deepfashion_rows, mutated_text, X(_poses)),
    "keypoint pickles": Reader(corpus.pickles, mutated_bytes, X(_poses)),
    "label pickles": Reader(corpus.labels, mutated_gzip, X(read_labels)),
    "images": Reader(corpus.images, mutated_bytes, _image),
    "image folders": Reader(corpus.images, mutated_bytes, _video),
    "videos": Reader(corpus.videos, mutated_bytes, X(_video)),
    "annotations": Reader(corpus.text(TABLE + "a|a/1/*.png|-1|-1|s|A B|a b\n"), mutated_text, X(read_annotations)),
    "pairs of images": Reader(corpus.text(f"from,to\n{IMAGE},{IMAGE}\n"), mutated_text, X(read_pairs)),
    "pairs of frames": Reader(corpus.text("clip,source,target\na,0,1\nb,2,3\n"), mutated_text, X(_pair_list)),
    "speakers": Reader(corpus.text("name,speaker\na,s1\n", TABLE), mutated_text, X(read_speakers)),
    "published tables": Reader(corpus.text("method,SSIM,source\nA,0.5,x\nB,,y\n"), mutated_text, X(_table)),
    "JSON lines": Reader(corpus.text('{"a": 1}\n{"name": "b", "size": [1, 2]}\n'), mutated_text, X(read_json_lines)),
    "configurations": Reader(corpus.text(CONFIG), mutated_text, X(_config), cost=4),
    "published checkpoints": Reader(corpus.checkpoints, mutated_bytes, _checkpoint),
    "training checkpoints": Reader(corpus.checkpoints, mutated_bytes, load_checkpoint),
    "model archives": Reader(corpus.model_archives, mutated_bytes, _fetched, cost=2),
    "model cards and parts": Reader(lambda: [corpus.model()], mutated_text, _described, re.compile("[.](json|md)$"), 4),
    "model configurations": Reader(
        lambda: [corpus.model()], mutated_json, lambda folder: pipeline_class(folder).from_pretrained(folder),
        re.compile("[.]json$"), 60,
    ),
    "model weights": Reader(
        lambda: [corpus.model()], mutated_bytes, lambda folder: pipeline_class(folder).from_pretrained(folder),
        re.compile("[.]safetensors$"), 60,
    ),
}  # fmt: skip
