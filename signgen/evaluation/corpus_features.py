"""Features of all frames of a corpus, for FID against them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from signgen.data import Corpus
from signgen.errors import UserError
from signgen.metrics.frechet import BATCH, FID
from signgen.runtime.progress import Progress, silent
from signgen.video import VideoReader
from signgen.video.image_arrays import resize_image


def write_corpus_features(
    path: Path,
    corpus: Corpus,
    metric: FID,
    size: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> int:
    """Write what `metric` keeps of the features of all frames (see FeatureSet.write), and return their number.

    size: (width, height) to which frames are brought first (bicubic), such as that of the generated frames. Raises
    UserError for frames that cannot be read, and for fewer than two.
    """
    for index in progress(range(len(corpus)), len(corpus), "Features"):
        with corpus.reader(index) as reader:
            for batch in _batches(reader, size):
                features = metric.features(batch.to(metric.device))
                metric.observe(features, features)
    count = int(metric.count)
    if count < 2:
        raise UserError(f"{count} frames have no covariance: FID needs at least two, and thousands to mean anything")
    metric.features_of("reference").write(path, metric.network, count)
    return count


def _batches(reader: VideoReader, size: tuple[int, int] | None) -> Iterator[Tensor]:
    frames = (resize_image(frame, (size or reader.size)[::-1]) for frame in reader)
    while batch := list(islice(frames, BATCH)):
        yield torch.from_numpy(np.stack(batch))
