"""What is to be rendered: clips x signers x variations, every draw fixed by the seed and the job's name."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from signgen.data import Clip, Corpus, open_corpus
from signgen.data.phoenix import SPLITS
from signgen.errors import UserError
from signgen.export.motion import Motion, draw_motion
from signgen.export.settings import ExportSettings, Variation


@dataclass(frozen=True)
class Signer:
    """A speaker, and the clip whose first frame shows them."""

    name: str
    clip: Clip


@dataclass(frozen=True)
class Job:
    """One clip to be rendered. `name` is unique, and fit for the name of a file and a WebDataset key."""

    name: str
    clip: Clip
    signer: Signer
    variation: Variation
    motion: Motion
    seed: int

    def identity(self) -> dict[str, object]:
        """What the job is, fit for JSON: labels included, places of files left out."""
        return {
            "name": self.name,
            "source": self.clip.name,
            "source_speaker": self.clip.speaker,
            "speaker": self.signer.name,
            "image": self.signer.clip.name,
            "gloss": self.clip.gloss,
            "text": self.clip.text,
            "variation": self.variation.name,
            "motion": asdict(self.motion),
            "seed": self.seed,
        }


def make_plan(settings: ExportSettings) -> list[Job]:
    """All jobs in the order of the manifest. Raises UserError for a corpus, speaker or split that cannot be used."""
    if "phoenix" in settings.formats and settings.split not in SPLITS:
        raise UserError(f"split {settings.split!r}: formats with phoenix know {', '.join(SPLITS)} only")
    clips = _clips(settings)
    signers = _signers(settings)
    jobs = [
        _job(settings, clip, signer, variation)
        for clip in clips
        for signer in _signers_of(clip, signers, settings)
        for variation in settings.variations
    ]
    if not jobs:
        raise UserError("there is no other signer for any of the clips: give signers.roots")
    names = {job.name for job in jobs}
    if len(names) < len(jobs):
        raise UserError(f"two of {len(jobs)} clips would have one name: clips or speakers are called alike")
    return jobs


def plan_hash(jobs: Iterable[Job]) -> str:
    """SHA-256 of a plan: equal where the same jobs are planned in the same order."""
    digest = hashlib.sha256()
    for job in jobs:
        digest.update(json.dumps(job.identity(), sort_keys=True).encode())
    return digest.hexdigest()


def _clips(settings: ExportSettings) -> Corpus:
    corpus = open_corpus(settings.roots, settings.split or None)
    kept = [clip for clip in corpus if not settings.speakers or clip.speaker in settings.speakers]
    if unknown := set(settings.speakers) - {clip.speaker for clip in kept}:
        raise UserError(f"{' + '.join(settings.roots)}: no clip of speaker {min(unknown)}")
    return Corpus(tuple(kept[: settings.clips] if settings.clips else kept))


def _signers(settings: ExportSettings) -> list[Signer]:
    """Every speaker once, by their first clip, in the corpus's order."""
    wanted = settings.signers
    roots = wanted.roots or settings.roots
    found: dict[str, Signer] = {}
    for clip in open_corpus(roots, wanted.split or settings.split or None):
        name = clip.speaker or clip.name
        if name not in found and (not wanted.names or name in wanted.names):
            found[name] = Signer(name, clip)
    if missing := [name for name in wanted.names if name not in found]:
        raise UserError(f"{' + '.join(roots)}: no clip of signer {missing[0]}")
    return list(found.values())


def _signers_of(clip: Clip, signers: list[Signer], settings: ExportSettings) -> list[Signer]:
    others = [signer for signer in signers if signer.name != (clip.speaker or clip.name)]
    count = settings.signers.per_clip
    if not count or count >= len(others):
        return others
    chosen = _generator(settings.seed, f"signers of {clip.name}").choice(len(others), count, replace=False)
    return [others[index] for index in sorted(chosen)]


def _job(settings: ExportSettings, clip: Clip, signer: Signer, variation: Variation) -> Job:
    name = "--".join(re.sub(r"[^\w-]", "_", part) for part in (clip.name, signer.name, variation.name))
    rng = _generator(settings.seed, name)
    return Job(name, clip, signer, variation, draw_motion(variation, rng), int(rng.integers(2**32)))


def _generator(seed: int, name: str) -> np.random.Generator:
    """Randomness of one thing, whatever else is planned."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32).tolist()])
