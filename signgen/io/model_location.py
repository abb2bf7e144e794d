"""Finds a model's folder. It does not import torch, so that a wrong name is reported at once."""

from pathlib import Path

from signgen.errors import UserError

EMBEDDED = Path(__file__).parent.parent / "assets" / "models"


def embedded_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(index.parent.name for index in EMBEDDED.glob("*/model_index.json"))


def model_name(path_or_name: str | Path) -> str:
    """What a model is called: as its folder or embedded model, and one that a training saved, RUN/model, as the run."""
    path = Path(path_or_name).resolve()
    return path.parent.name if path.name == "model" and (path.parent / "checkpoints").is_dir() else path.name


def model_folder(path_or_name: str | Path) -> Path:
    """The folder of a model given by path, by embedded name or by hub id. Raises UserError where there is none."""
    if (EMBEDDED / path_or_name / "model_index.json").exists() and "/" not in str(path_or_name):
        return EMBEDDED / path_or_name
    path = Path(path_or_name)
    if (path / "model_index.json").exists():
        return path
    if path.exists():
        raise UserError(f"{path} is not a model folder: it has no model_index.json")
    names = ", ".join(embedded_models())
    if str(path_or_name).count("/") != 1 or str(path_or_name).startswith((".", "/")):
        raise UserError(f"unknown model {str(path_or_name)!r}: give a model folder, a hub id (owner/name) or: {names}")
    from huggingface_hub import snapshot_download  # only a hub id needs it, and it takes its time
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(path_or_name), allow_patterns=["*.json", "*.safetensors", "README.md"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise UserError(
            f"model {str(path_or_name)!r} is no folder here and could not be fetched from the hub "
            f"({type(error).__name__}): download it and give the folder's path"
        ) from error
