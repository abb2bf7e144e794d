"""Corpora of signing clips and the training samples drawn from them."""

from signgen.data.augmentation import Augmentation
from signgen.data.corpus import Clip, Corpus
from signgen.data.corpus_layouts import open_corpus
from signgen.data.pairs import DrivenClip, PairDataset, Triple, draw_triple, first_frame_protocol

__all__ = [
    "Augmentation",
    "Clip",
    "Corpus",
    "DrivenClip",
    "PairDataset",
    "Triple",
    "draw_triple",
    "first_frame_protocol",
    "open_corpus",
]
