"""`signgen models`: which models there are, and what is in one."""

import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Literal

import typer

from signgen.cli.console import Json, parse_size, report, track
from signgen.errors import UserError

app = typer.Typer(help="The models at hand.")


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the embedded models, their licences and what they were trained on."""
    from signgen.io.model_card import first_sentence, read_card
    from signgen.io.model_location import embedded_models, model_folder

    folders = {name: model_folder(name) for name in embedded_models()}
    found = {name: (_size(folder), read_card(folder)) for name, folder in folders.items()}
    lines = [
        f"{name}  {size / 2**20:.1f} MiB, licence {card.licence}; data: {first_sentence(card.data)}"
        for name, (size, card) in found.items()
    ]
    models = [{"name": name, "bytes": size} | asdict(card) for name, (size, card) in found.items()]
    report({"models": models}, as_json, "\n".join(lines))


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="An embedded model's name, a model folder or a hub id.")],
    flops: Annotated[bool, typer.Option("--flops", help="Count its arithmetic: per part, video and frame.")] = False,
    as_json: Json = False,
) -> None:
    """Describe a model: licence, data and limits as its card states them, parts, parameters, sampling defaults."""
    from signgen.io.model_card import read_card
    from signgen.io.model_config import model_index
    from signgen.io.model_location import model_folder
    from signgen.io.provenance import model_hash

    folder = model_folder(model)
    index = model_index(folder)
    parts = {path.name: _part(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    settings = {key: value for key, value in index.items() if not key.startswith("_") and key not in parts}
    result = {"model": model, "folder": str(folder), "sha256": model_hash(folder), "parts": parts} | settings
    card = asdict(read_card(folder))
    lines = [f"{key}: {value}" for key, value in result.items() if key != "parts"]
    lines += [
        f"{name}: {part['class']}, {part['parameters']:,} parameters, {part['bytes'] / 2**20:.1f} MiB"
        for name, part in parts.items()
    ]
    if flops:
        counts = _flops(folder)
        result["flops"] = counts
        lines += ["", *(f"{key}: {_list(values)}" for key, values in counts.items())]
    lines += [f"\n{key}:\n{indent(value, '  ')}" for key, value in card.items()]
    report(result | {"card": card}, as_json, "\n".join(lines))


@app.command()
def licences(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Model folders, hub ids or embedded names; without, the embedded."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is behind a rendering with its licence: models and their data, and packages, optional ones too."""
    from signgen.io.licences import ledger
    from signgen.io.model_location import embedded_models

    entries = ledger(models or embedded_models())
    lines = [f"{each.kind:8} {each.name:20} {each.version:14} {each.licence}\n{'':8} {each.use}" for each in entries]
    report({"licences": [asdict(each) for each in entries]}, as_json, "\n".join(lines))


def _flops(folder: Path) -> dict[str, dict[str, float]]:
    """Floating-point operations of one call of each part, and of rendering by the model's own sampling defaults."""
    from signgen.rendering.render_to_file import pipeline_class
    from signgen.systems.fpdm.pipeline import FPDMPipeline
    from signgen.systems.fpdm.pipeline_flops import pipeline_flops

    if not issubclass(pipeline_class(folder), FPDMPipeline):
        raise UserError(f"{folder}: arithmetic is counted for FPDM alone; leave out --flops")
    found = pipeline_flops(FPDMPipeline.without_weights(folder))
    return {"flops of one call": found.parts, "flops of a video": found.video, "flops of a frame": found.frame}


def _list(flops: dict[str, float]) -> str:
    parts = ", ".join(f"{name} {count / 1e9:,.2f}" for name, count in flops.items())
    return f"{parts}, together {sum(flops.values()) / 1e9:,.2f} GFLOP"


Base = Annotated[
    str, typer.Option(metavar="PLACE", help="For PCDMs, whose checkpoints do not hold it: a folder or a hub id.")
]


@app.command()
def fetch(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A hub id (owner/name), or the URL of a zip archive.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The model folder to write.")],
    as_json: Json = False,
) -> None:
    """Fetch a model into a folder: JSON, safetensors and text alone, complete or not at all."""
    from signgen.io.model_fetch import fetch_model
    from signgen.io.provenance import model_hash

    fetch_model(source, output, partial(track, unit="MiB"))
    result = {"source": source, "output": str(output), "sha256": model_hash(output)}
    report(result, as_json, f"{output}: {source}, sha256 {result['sha256']}")


@app.command()
def convert(
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CKPT...", help="FPDM's training checkpoint, or those of PCDMs' stages.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The model folder to write.")],
    config: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Sizes of the model's parts; the paper's without it.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Of its images; else as CKPT or JSON says."),
    ] = None,
    skeleton: Annotated[
        Literal["openpose-18", "coco-wholebody-133"],
        typer.Option(help="Whose pose maps the model was trained on; the published codes draw OpenPose's 18 points."),
    ] = "openpose-18",
    autoencoder: Base = "",
    source_encoder: Base = "",
    image_encoder: Base = "",
    as_json: Json = False,
) -> None:
    """Convert published checkpoints to a model folder, every tensor accounted for.

    FPDM: one checkpoint, of either stage. PCDMs: those of all three stages, or of one. The checkpoints' tensors are
    read, none of their code is run.
    """
    from signgen.io.atomic_files import check_writable
    from signgen.io.torch_checkpoint import read_checkpoint
    from signgen.systems.fpdm.conversion import convert_fpdm
    from signgen.systems.pcdm.conversion import base_parts, convert_pcdm

    if output.exists():
        raise UserError(f"{output} exists already: give another name")
    check_writable(output, folder=True)
    wanted = parse_size(size)
    images: dict[str, Any] = {"size": wanted and wanted[::-1], "skeleton": skeleton}
    bases = {"autoencoder": autoencoder, "source_encoder": source_encoder, "image_encoder": image_encoder}
    if "module" in read_checkpoint(checkpoints[0]):
        result = convert_pcdm(checkpoints, output, config, base_parts(bases), **images)
    elif len(checkpoints) > 1 or any(bases.values()):
        raise UserError(f"{checkpoints[0]} is no checkpoint of PCDMs: FPDM's is converted alone, it holds every part")
    else:
        result = convert_fpdm(checkpoints[0], output, config, **images)
    dropped = f"; dropped: {', '.join(result.dropped)}" if result.dropped else ""
    copies = f", {result.duplicates} more are equal copies" if result.duplicates else ""
    report({"output": str(output), **asdict(result)}, as_json, f"{output}: {result.used} tensors{copies}{dropped}")


def _part(folder: Path) -> dict[str, Any]:
    """Class, number of parameters and size of a component, from its files alone."""
    from signgen.io.model_config import class_name
    from signgen.io.model_folder import stored_shapes

    parameters = sum(math.prod(shape) for shape in stored_shapes(folder).values())
    return {"class": class_name(folder), "parameters": parameters, "bytes": _size(folder)}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
