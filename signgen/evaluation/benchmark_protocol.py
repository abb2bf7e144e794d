"""In what a run differs from the one that a published table was made with."""

from collections.abc import Mapping

from signgen.evaluation import Evaluation
from signgen.evaluation.benchmark_settings import BenchmarkSettings

SHARED_NOISE = "one initial noise for all frames, where the published samplers draw one for each"


def differences(settings: BenchmarkSettings, evaluation: Evaluation, sampling: Mapping[str, object]) -> list[str]:
    """In what a run differs from the paper's, a sentence each. `sampling`: what was rendered with; empty: not known."""
    paper, frames = settings.paper, sum(clip.frames for clip in evaluation.clips)
    found = []
    if paper.split and settings.split != paper.split:
        found.append(f"split {settings.split}, the paper's is {paper.split}")
    if paper.frames and frames != paper.frames:
        found.append(f"{frames:,} frames, the paper has {paper.frames:,}")
    if paper.table and settings.start:
        found.append(f"frames from {settings.start} on, the paper's are all")
    if paper.size and evaluation.protocol["sizes"] != [paper.size]:
        found.append(f"frames of {', '.join(evaluation.protocol['sizes'])}, the paper's are {paper.size}")
    published = {
        "steps": paper.steps,
        "solver": paper.solver,
        "guidance_source": paper.guidance,
        "guidance_fusion": paper.guidance,
    }
    for name, value in published.items():
        # PCDMs have one guidance weight, of another name.
        if value and name in sampling and sampling[name] != value:
            found.append(f"{name} {sampling[name]}, the paper's is {value}")
    if paper.table and sampling:
        found.append(SHARED_NOISE)
    return found + [f"{column}: {difference}" for column, difference in paper.differences.items()]
