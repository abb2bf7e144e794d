"""Makes a larger corpus from a labelled one: other signers sign each clip, with varied motion and the same labels."""

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
