"""From a labelled corpus to a larger one: each clip by other signers, in varied motion, labels carried over."""

from signgen.export.estimate import Estimate, estimate
from signgen.export.run import Export, export_corpus
from signgen.export.settings import ExportSettings, Gate, Signers, Variation

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
