"""Scoring generated clips against reference clips."""

from signgen.evaluation.pairing import ClipPair, Pairing, pair_clips
from signgen.evaluation.scores import ClipScores, Evaluation, Score
from signgen.evaluation.scoring import evaluate

__all__ = ["ClipPair", "ClipScores", "Evaluation", "Pairing", "Score", "evaluate", "pair_clips"]
