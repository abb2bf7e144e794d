import json
from pathlib import Path

from signgen.export import ExportSettings
from signgen.io.config import to_yaml
from tests.cli.conftest import Cli
from tests.export.conftest import corpus, settings  # noqa: F401 (fixtures)


def test_planned_exported_and_done(cli: Cli, settings: ExportSettings, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "export.yaml"
    config.write_text(to_yaml(settings))
    planned = json.loads(cli("export", config, "clips=1", "--dry-run", "--json").out)
    assert (planned["clips"], planned["done"]) == (2, 0)
    assert not Path(settings.output).exists()
    made = json.loads(cli("export", config, "clips=1", "--json").out)
    assert (made["status"], made["frames"]) == ({"written": 2}, planned["frames"])
    again = cli("export", config, "clips=1")
    assert "2 written of 2 clips, 0 of them now" in again.out
    assert "quality: 2 not measured\n  2 x gate.estimator is none" in again.out
    assert "2, of which 2 are done" in cli("export", config, "clips=1", "--dry-run").out


def test_errors_are_one_line(cli: Cli, settings: ExportSettings, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "export.yaml"
    config.write_text(to_yaml(settings))
    for change in ("roots=[nowhere]", "media=film", "gate.every=0", "devices=[tpu]", "signers.names=[x]", "clip=1"):
        run = cli("export", config, change)
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1), run.err
