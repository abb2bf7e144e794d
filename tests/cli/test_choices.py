"""The command line offers what the tables hold: it names the choices itself, for the tables bring torch with them."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from signgen.cli import adapt, data, poses, render, train
from signgen.metrics.frechet import Variant
from signgen.poses.extraction import ESTIMATORS
from signgen.poses.skeletons import POINT_COUNT
from signgen.poses.smoothing import SMOOTHERS
from signgen.rendering.framing import FITS
from signgen.sampling.solvers import SOLVERS
from signgen.systems.trainings import KINDS


def choices(annotation: Any) -> list[str]:
    """The values of the Literal inside an annotation."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in choices(part)]


@pytest.mark.parametrize(
    ("verb", "option", "table"),
    [
        (render.render, "solver", SOLVERS),
        (render.render, "fit", FITS),
        (render.render, "smooth", SMOOTHERS),
        (render.render, "estimator", ESTIMATORS),
        (adapt.adapt, "estimator", ESTIMATORS),
        (poses.extract, "estimator", ESTIMATORS),
        (poses.smooth, "method", SMOOTHERS),
        (poses.convert, "skeleton", POINT_COUNT),
        (train.train, "kind", KINDS),
        (data.features, "network", get_args(Variant)),
    ],
)
def test_the_choices_are_those_of_the_table(verb: Callable[..., None], option: str, table: Iterable[str]) -> None:
    annotation = get_type_hints(verb, include_extras=True)[option]
    assert choices(annotation) == list(table)
