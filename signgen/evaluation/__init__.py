"""Scoring generated clips against reference clips."""

from signgen.evaluation.clip_scorer import Protocol
from signgen.evaluation.metric_files import MetricFiles
from signgen.evaluation.pairing import ClipPair, Pairing, pair_clips
from signgen.evaluation.report import write_report
from signgen.evaluation.scores import ClipScores, Evaluation, Score
from signgen.evaluation.scoring import default_workers, evaluate, evaluate_pairs

__all__ = [
    "ClipPair",
    "ClipScores",
    "Evaluation",
    "MetricFiles",
    "Pairing",
    "Protocol",
    "Score",
    "default_workers",
    "evaluate",
    "evaluate_pairs",
    "pair_clips",
    "write_report",
]
