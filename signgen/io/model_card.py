"""Model cards: README.md of a model folder, which says what it was made of, what it may be used for, what it cannot do.

signgen cannot know everything, such as the licence. The cards that it writes say so, and their owner fills it in.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from signgen.errors import UserError
from signgen.io.limits import read_text
from signgen.io.model_config import class_name

CARD = "README.md"
UNKNOWN = "not stated"
FRONT = 1 << 16  # characters in front of a card
# Headings under which a card speaks of these.
DATA, LIMITS, CONSENT = "Data", "What it cannot do", "Licence and consent"

TEXT = """---
license: {licence}
library_name: diffusers
tags: [sign-language, pose-to-video]
---

# {name}

{what}

## Data

{data}

## What it cannot do

{limits}

## Licence and consent

{consent}
"""

UNMEASURED = """\
Not measured: `signgen evaluate` and `signgen benchmark` tell, best on signers and sentences that it was not trained on.
It shows what its data show; expect people, clothes, framings and movements unlike them to come out worse."""
OPEN_LICENCE = """\
Not stated by who made it: the licence follows from the data's and from that of the models it began with. State it
here before the model is passed on. If the data show people, the model can show them: use and share it, and what it
renders, with their consent only, and show what is generated as generated."""

LIKENESS = """It renders that person. Use and share it, and what it renders, with their consent only, and show what is
generated as generated."""


@dataclass(frozen=True)
class Card:
    """The content of a card; UNKNOWN stands for what it does not say."""

    licence: str = UNKNOWN
    data: str = UNKNOWN
    limits: str = UNKNOWN
    consent: str = UNKNOWN


def read_card(folder: Path) -> Card:
    """The card of a model folder, nothing known where there is none or it cannot be understood."""
    try:
        text = read_text(folder / CARD)
    except (OSError, UnicodeDecodeError, UserError):
        return Card()
    front, body = re.fullmatch(r"(?:---\n(.*?)\n---\n)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    licence = _licence(front or "")
    parts = re.split(r"^## +(.+?) *$", body, flags=re.MULTILINE)
    sections = {heading: text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}
    found = (sections.get(heading) or UNKNOWN for heading in (DATA, LIMITS, CONSENT))
    return Card(licence, *found)


def _licence(front: str) -> str:
    """What the YAML in front of a card calls the licence; a scalar, because aliases can make much of little."""
    try:
        node = yaml.compose(front[:FRONT], yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return UNKNOWN
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = (value.value for key, value in pairs if key.value == "license" and isinstance(value, yaml.ScalarNode))
    return next(found, "") or UNKNOWN


def first_sentence(text: str) -> str:
    """The first sentence of a card's section, on one line."""
    return " ".join(text.split()).partition(". ")[0]


def write_card(folder: Path, text: str) -> None:
    """Write a card, unless the folder has one already."""
    if not (folder / CARD).exists():
        (folder / CARD).write_text(text, encoding="utf-8")


def trained_card(
    folder: Path, *, name: str, training: str, corpora: Iterable[str], starts: Mapping[str, str | Path]
) -> str:
    """The card of what a training saved as `folder`.

    training: how long and how, a sentence. corpora: their folders. starts: what it began with, by what each is:
    folders, hub ids or embedded models. Of folders the last names are given only.
    """
    names = [Path(corpus).name for corpus in corpora]
    data = f"The training pairs are of {', '.join(names)}."
    if starts:
        begun = (f"{what} {_place(where)}" for what, where in starts.items())
        data += f" It holds what these had learnt before, from data that their own cards state: {', '.join(begun)}."
    what = f"{class_name(folder)} of signgen. {training}"
    return TEXT.format(licence="unknown", name=name, what=what, data=data, limits=UNMEASURED, consent=OPEN_LICENCE)


def assembled_card(model: Path, decoder: Path) -> str:
    """The card of a model whose decoder was trained separately, made from the cards of both folders."""
    heading = f"\n## {LIMITS}\n"
    text = (model / CARD).read_text(encoding="utf-8")
    return text.replace(heading, f"\nIts decoder was trained apart. {read_card(decoder).data}\n{heading}", 1)


def converted_card(folder: Path, *, name: str, checkpoints: Iterable[Path], system: str) -> str:
    """The card of a conversion of published checkpoints of `system`."""
    files = ", ".join(path.name for path in checkpoints)
    return TEXT.format(
        licence="unknown",
        name=name,
        what=f"{class_name(folder)} of signgen, converted from {files}, a training of {system}: the same weights.",
        data=f"That of the checkpoint: see what its authors say. signgen added none; {system}'s paper names its own.",
        limits=UNMEASURED,
        consent=OPEN_LICENCE,
    )


def adapted_card(*, name: str, model: str, frames: int, training: str) -> str:
    """The card of a model that was adapted to one person."""
    return TEXT.format(
        licence="other",
        name=name,
        what=f"{model}, adapted to one person by `signgen adapt`: {training}.",
        data=f"{frames} frames of one clip of that person; before that, what the card of {model} states.",
        limits="Other people come out as mixtures with that person. The limits of the model it began with remain.",
        consent=LIKENESS,
    )


def _place(where: str | Path) -> str:
    return "/".join(Path(where).parts[-2:]) if Path(where).is_dir() else str(where)
