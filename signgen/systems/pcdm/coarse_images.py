"""The coarse images that stage 3 of PCDMs is trained on: what stages 1 and 2 make of every training pair."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from signgen.data import open_corpus
from signgen.data.frame_sources import DecodedFrames
from signgen.data.packed_poses import pack_poses
from signgen.data.pair_lists import read_pair_list
from signgen.data.pairs import coarse_path
from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path, keep_settings, locked_folder
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import PoseInputs, pose_inputs
from signgen.poses import PoseSequence
from signgen.runtime.progress import Progress, silent
from signgen.sampling.noise import frame_generator
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.train_refine import RefineSettings
from signgen.video.image_arrays import write_png

SETTINGS = "made-with.json"


def make_coarse(settings: RefineSettings, progress: Progress = silent) -> int:
    """Make every image that is not there yet in `settings.coarse`; returns how many were made.

    Each pair has noise of its own, made from the seed and its number, so that stage 3 sees many. progress: wraps blocks
    of pairs, given their number and what happens to them. Raises UserError where the folder holds another model's.
    """
    if not settings.data.pairs:
        raise UserError("coarse images are of a list of pairs: set data.pairs (`signgen data pairs` draws one)")
    with locked_folder(Path(settings.coarse)):
        return _make_missing(settings, progress)


def _make_missing(settings: RefineSettings, progress: Progress) -> int:
    folder, stage_2 = Path(settings.coarse), model_folder(settings.inpaint)
    corpus = open_corpus(settings.data.roots, settings.data.split)
    triples = read_pair_list(Path(settings.data.pairs), corpus)
    pairs = hashlib.sha256(repr([tuple(triple) for triple in triples]).encode()).hexdigest()
    keep_settings(
        folder / SETTINGS, {"model_sha256": model_hash(stage_2), "pairs_sha256": pairs, "seed": settings.seed}
    )
    missing = [number for number in range(len(triples)) if not coarse_path(folder, number).exists()]
    if not missing:
        return 0
    pipeline = PCDMPipeline.from_pretrained(stage_2).to("cuda" if torch.cuda.is_available() else "cpu")
    size = tuple(pipeline.config.image_size)
    packed = pack_poses(corpus, size)
    frames = DecodedFrames(corpus, packed.lengths, size)

    def poses(places: list[tuple[int, int]]) -> PoseInputs:
        keypoints = np.stack([packed.frame(clip, frame) for clip, frame in places])
        return pose_inputs(PoseSequence(keypoints, size[::-1], 1.0, packed.skeleton), size)

    batch = settings.device_batch or settings.batch_size
    blocks = [range(start, min(start + batch, len(missing))) for start in range(0, len(missing), batch)]
    for block in progress(blocks, len(blocks), "Making coarse images"):
        numbers = [missing[place] for place in block]
        chosen = [triples[number] for number in numbers]
        generators = [frame_generator(settings.seed, number) for number in numbers]
        shape = pipeline.noise_shape(size)
        sources = np.stack([frames.frames(triple.clip, [triple.source])[0] for triple in chosen])
        stages = pipeline.stages(
            pipeline.encode_source(sources, poses([(triple.clip, triple.source) for triple in chosen])),
            poses([(triple.clip, triple.target) for triple in chosen]),
            torch.stack([torch.randn(shape, generator=generator) for generator in generators]),
            size=size,
            generators=generators,
            **pipeline.sampling_options(),
        )
        for number, image in zip(numbers, to_frames(stages.coarse).cpu().numpy(), strict=True):
            with atomic_path(coarse_path(folder, number)) as unfinished:
                write_png(unfinished, image)
    return len(missing)
