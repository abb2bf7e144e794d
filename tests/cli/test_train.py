import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_is_valid_and_says_how_to_run_it(cli: Cli, path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith(("# signgen train ", "# signgen benchmark ", "# signgen export "))
    assert str(path.relative_to(CONFIGS.parent)) in first
    assert cli("config", "validate", path) == (0, f"{path}: valid\n", "")


def test_list_names_every_config_and_its_command(cli: Cli) -> None:
    run = cli("config", "list", CONFIGS, "--json")
    configs = json.loads(run.out)["configs"]
    assert [config["config"] for config in configs] == [str(path) for path in sorted(CONFIGS.rglob("*.yaml"))]
    assert all(
        config["command"].startswith(("signgen train ", "signgen benchmark ", "signgen export ")) for config in configs
    )
    assert "signgen train fusion configs/tiny/fusion.yaml" in cli("config", "list", CONFIGS).out


def test_the_configurations_that_come_with_signgen_are_found_from_any_folder(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = json.loads(cli("config", "list", "--json").out)["configs"]
    assert {each["config"] for each in listed} == {
        str(path.relative_to(CONFIGS.parent)) for path in CONFIGS.rglob("*.yaml")
    }
    assert "model: tiny" in cli("config", "show", "configs/tiny/fusion.yaml", "data.roots=/some/corpus").out
    (tmp_path / "configs/tiny").mkdir(parents=True)
    (tmp_path / "configs/tiny/fusion.yaml").write_text("# signgen train fusion x.yaml\nmodel: paper\noutput: out\n")
    assert "model: paper" in cli("config", "show", "configs/tiny/fusion.yaml").out  # one's own goes before it


@pytest.mark.parametrize(
    ("verb", "config", "own"),
    [
        ("train fusion", "configs/tiny/diffusion.yaml", "signgen train diffusion"),
        ("train fusion", "configs/export/phoenix14t.yaml", "signgen export"),
        ("coarse", "configs/tiny/pcdm-prior.yaml", "signgen train pcdm-prior"),
        ("benchmark", "configs/export/phoenix14t.yaml", "signgen export"),
        ("export", "configs/benchmark/phoenix14t.yaml", "signgen benchmark"),
    ],
)
def test_a_configuration_for_another_verb_is_named(cli: Cli, verb: str, config: str, own: str) -> None:
    status, out, err = cli(*verb.split(), config)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{config} is a configuration for `{own}`, not for `signgen " in err


def test_show_prints_all_settings_with_overrides_applied(cli: Cli) -> None:
    run = cli("config", "show", CONFIGS / "tiny/fusion.yaml", "steps=3", "--json")
    settings = json.loads(run.out)
    assert settings["steps"] == 3
    assert settings["model"] == "tiny"
    assert "steps: 3\n" in cli("config", "show", CONFIGS / "tiny/fusion.yaml", "steps=3").out


def test_a_dry_run_says_what_it_takes_and_writes_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = CONFIGS / "tiny/diffusion.yaml"
    (tmp_path / "vae").mkdir()
    given = ["autoencoder=vae", "pretrained_unet=nowhere", "batch_size=6", "device_batch=3"]
    dry = json.loads(cli("train", "diffusion", path, *given, "--dry-run", "--json").out)
    assert dry["settings"] == json.loads(cli("config", "show", path, *given, "--json").out)
    assert dry["estimate"]["shares"] == {"processes": 1, "accumulation": 2, "device_batch": 3}
    reads = {each["setting"]: each["found"] for each in dry["reads"]}
    assert reads["autoencoder"] == "folder"
    assert reads["pretrained_unet"] is reads["data.roots"] is None
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    text = cli("train", "fusion", CONFIGS / "tiny/fusion.yaml", "--dry-run").out
    assert "a step: 2 process(es) x 1 part(s) x 2 sample(s)" in text
    assert "TFLOP a step of 4 samples" in text
    assert "data.roots: corpora/synthetic-signers (not on this machine)" in text
    (tmp_path / "vae").rmdir()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "fusion", "no.yaml"], "no.yaml: file not found"),
        (["train", "fusion", CONFIGS / "tiny/fusion.yaml", "stesp=3"], "the nearest known key is 'steps'"),
        (["train", "fusion", CONFIGS / "tiny/fusion.yaml", "steps=0"], "steps is 0; it must be at least 1"),
        (
            ["train", "fusion", CONFIGS / "tiny/fusion.yaml", "steps=1e99"],
            "could not be converted to Integer",
        ),
        (["train", "fusion", CONFIGS / "tiny/fusion.yaml", "temperature=.nan"], "must be a finite number"),
        (["train", "fusion", CONFIGS / "tiny/fusion.yaml", "model=huge"], "model size 'huge'"),
        (["config", "show", "no.yaml"], "no.yaml: file not found"),
        (["train", "fusion", "configs/tiny/fusoin.yaml"], "did you mean configs/tiny/fusion.yaml?"),
        (["config", "list", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = cli(*args)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_training_on_a_corpus_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    settings = (f"output={tmp_path / 'run'}", f"data.roots=[{tmp_path / 'nowhere'}]", "validation=[]")
    status, out, err = cli("train", "fusion", CONFIGS / "tiny/fusion.yaml", *settings)
    assert (status, out) == (2, "")
    assert "nowhere: no such corpus folder" in err
    assert err.count("\n") == 1


def test_a_config_that_does_not_say_what_it_is(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("steps: 3\n")
    status, _, err = cli("config", "validate", path)
    assert status == 2
    assert "the first line must be the command that runs it" in err
    path.write_bytes(b"\xff\xfe")
    assert "not a text file" in cli("config", "validate", path).err
