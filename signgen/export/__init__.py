"""From a labelled corpus to a larger one: each clip by other signers, in varied motion, labels carried over."""

from signgen.export.corpus_export import Export, export_corpus
from signgen.export.settings import ExportSettings, Gate, Signers, Variation
from signgen.export.size_estimate import Estimate, estimate

__all__ = [
    "Estimate",
    "Export",
    "ExportSettings",
    "Gate",
    "Signers",
    "Variation",
    "estimate",
    "export_corpus",
]
