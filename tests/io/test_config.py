import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signgen.errors import UserError
from signgen.io.config import known_keys, load_config, to_yaml
from signgen.training.settings import TrainingSettings


@dataclass
class Optimiser:
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    name: Literal["adamw", "sgd"] = "adamw"


@dataclass
class Recipe:
    steps: int = 100
    roots: list[str] = field(default_factory=list)
    resume: bool = False
    output: Path | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError("steps must be at least 1")


@dataclass
class Required:
    data: str


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text("steps: 7\noptimiser:\n  learning_rate: 1e-3\n")
    path = tmp_path / "small.yaml"
    path.write_text("# signgen train small.yaml\nbase: base.yaml\noptimiser:\n  name: sgd\n")
    return path


def test_layers_apply_in_order(recipe: Path) -> None:
    config = load_config(Recipe, recipe, ["optimiser.betas=[0.5,0.9]", "resume=true", "output=runs/a"])
    expected = Optimiser(learning_rate=1e-3, betas=(0.5, 0.9), name="sgd")
    assert config == Recipe(steps=7, resume=True, output=Path("runs/a"), optimiser=expected)


@pytest.mark.parametrize("given", ["/a b", "[/a b]", "['/a b']"])
def test_a_list_of_one_value_needs_no_brackets(tmp_path: Path, given: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(f"roots: {given}\n")
    assert load_config(Recipe, overrides=[f"roots={given}"]) == load_config(Recipe, file) == Recipe(roots=["/a b"])


def test_defaults_alone() -> None:
    assert load_config(Recipe) == Recipe()


def test_yaml_reads_back_equal(recipe: Path, tmp_path: Path) -> None:
    config = load_config(Recipe, recipe, ["output=runs/a"])
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(to_yaml(config))
    assert load_config(Recipe, resolved) == config


def test_known_keys_are_dotted() -> None:
    assert list(known_keys(Recipe))[-2:] == ["optimiser.betas", "optimiser.name"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stesp=3", "unknown key 'stesp'; the nearest known key is 'steps'"),
        ("learning_rat=3", "unknown key 'learning_rat'; the nearest known key is 'optimiser.learning_rate'"),
        ("optimiser.lerning_rate=3", "the nearest known key is 'optimiser.learning_rate'"),
        ("steps=many", "steps: Value 'many' of type 'str' could not be converted to Integer"),
        ("steps=1.5", "steps: Value '1.5'"),
        ("steps.inner=3", "steps: Value"),
        ("steps=0", "steps=0: steps must be at least 1"),
        ("optimiser=3", "optimiser=3: Merge error"),
        ("optimiser.betas=[1]", "length 1 does not match"),
        ("optimiser.name=adam", "expected one of"),
        ("optimiser.learning_rate=nan", "learning_rate must be a finite number, not nan"),
        ("optimiser.betas=[.inf,0]", "optimiser.betas[0] must be a finite number"),
        ("steps=${nowhere}", "steps: Interpolation key 'nowhere' not found"),
        ("steps", "expected key=value"),
        ("=3", "expected key=value"),
        ("optimiser..name=sgd", "expected key=value"),
        ("optimiser.betas=[", "not valid YAML"),
    ],
)
def test_wrong_overrides_are_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load_config(Recipe, overrides=[override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stesp: 3", "unknown key 'stesp'; the nearest known key is 'steps'"),
        (b"optimiser:\n  stesp: 3", "unknown key 'optimiser.stesp'; the nearest known key is 'steps'"),
        (b"steps: [", "not valid YAML at line"),
        (b"steps: 1\nsteps: 2", "duplicate key"),
        (b"- steps", "expected a YAML mapping"),
        (b"3", "expected a YAML mapping"),
        (b"\xff\xfe\x00", "not"),
        (b"steps: !!python/object/apply:os.getcwd []", "not valid YAML"),
        (b"base: nowhere.yaml", "nowhere.yaml: file not found (base of"),
        (b"base: [1]", "base must be the name"),
        (b"base: config.yaml", "builds on this file itself"),
    ],
)
def test_wrong_files_are_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_config(Recipe, path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_and_missing_value(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file not found"):
        load_config(Recipe, tmp_path / "nowhere.yaml")
    with pytest.raises(UserError, match="data must be given"):
        load_config(Required)
    assert load_config(Required, overrides=["data=x"]).data == "x"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("# nothing yet\n")
    assert load_config(Recipe, path) == Recipe()


yaml_like = st.text(st.sampled_from("steps:optimiser.nambe-[]{}&*!|>'\"%@`#,? \n\t0123${}\\\x00é"), max_size=60)


@given(content=st.one_of(yaml_like.map(str.encode), st.binary(max_size=60)))
def test_any_file_gives_a_config_or_a_user_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "config.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load_config(Recipe, path), Recipe)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


@given(key=st.sampled_from([*known_keys(Recipe), "other"]), value=st.one_of(yaml_like, st.text()))
def test_any_override_gives_a_config_or_a_user_error(key: str, value: str) -> None:
    try:
        assert isinstance(load_config(Recipe, overrides=[f"{key}={value}"]), Recipe)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_a_mapping_is_no_text_in_a_list(tmp_path):
    @dataclass
    class Names:
        names: list[str] = field(default_factory=list)

    (tmp_path / "a.yaml").write_text("names: [{}, b]")
    with pytest.raises(UserError, match=r"names\[0\]"):
        load_config(Names, tmp_path / "a.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x]\n"
        + "\n".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}]" for a, b in pairwise("abcdefghij")),
        "a: &a {x: 1}\n"
        + "\n".join(f"{b}: &{b} {{<<: [*{a}, *{a}, *{a}, *{a}]}}" for a, b in pairwise("abcdefghijkl")),
        "a: xxxxxxxxxxxxxxxx\n" + "\n".join(f"{b}: ${{{a}}}${{{a}}}${{{a}}}" for a, b in pairwise("abcdefghijklmnop")),
        "a: " + "[" * 90_000,
        "a: ${oc.env:HOME}",
        "x" * 2_000_000,
    ],
)  # fmt: skip
def test_a_file_makes_no_more_than_it_has(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(UserError, match=r"a\.yaml"):
        load_config(Recipe, tmp_path / "a.yaml")
    assert time.process_time() - start < 5


def test_a_key_of_an_older_name_is_told_the_new_one() -> None:
    with pytest.raises(UserError, match="the key 'picture_size' is called 'image_size' now"):
        load_config(TrainingSettings, overrides=["picture_size=64x64"])
