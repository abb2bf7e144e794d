"""How far signgen is from the authors' implementations: every recorded quantity and its largest difference.

    python benchmarks/parity.py ../shared/parity/fpdm-tiny [--json OUT.json]
    python benchmarks/parity.py ../shared/parity/pcdm-tiny

The folder holds checkpoints of the authors' modules at a tiny size (FPDM: `last.ckpt`, PCDMs: `stage{1,2,3}/`) with
their `config.json`, inputs (FPDM: a source image and a drawn pose) and what their code computed from these in float32
on a CPU (`expected.safetensors`). Differences are relative to the largest value of the quantity; those of the images,
in [0, 1], are absolute.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from signgen.models.conditions import fusion_embedding, source_hidden
from signgen.models.pixels import resize
from signgen.sampling.guidance import Branch
from signgen.systems.fpdm.conversion import convert_fpdm
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.pcdm.conversion import convert_pcdm
from signgen.systems.pcdm.pipeline import PCDMPipeline

BRANCHES = [Branch(1, False, False), Branch(1, True, False), Branch(1, True, True)]


def load(folder: Path) -> FPDMPipeline:
    """The pipeline that the folder's checkpoint becomes."""
    with tempfile.TemporaryDirectory() as temporary:
        convert_fpdm(folder / "last.ckpt", Path(temporary) / "model", folder / "config.json")
        return FPDMPipeline.from_pretrained(Path(temporary) / "model")


@torch.no_grad()
def intermediates(pipeline: FPDMPipeline, source: Tensor, pose: Tensor, latents: Tensor) -> dict[str, Tensor]:
    """What the pipeline computes on its way, by the names under which it was recorded."""
    size = pipeline.config.image_size
    image = resize(source, pipeline.config.source_size)
    hidden = source_hidden(pipeline.source_encoder, image)
    conditions = pipeline.encode_poses(pipeline.encode_source(source), pose, size)
    values = {
        "dino_hidden": hidden,
        "source_tokens": pipeline.unet.source_tokens(hidden),
        "clip_source": fusion_embedding(pipeline.fusion, image),
        "clip_pose": fusion_embedding(pipeline.fusion, pose),
        "fusion": conditions.fusion,
        "pose_features": conditions.pose_features,
    }
    for timestep in (981, 501, 1):
        predictions = [pipeline.denoise(conditions, [one], latents, torch.tensor(timestep)) for one in BRANCHES]
        values[f"unet_branches_t{timestep}"] = torch.cat(predictions)
    return values


def differences(folder: Path) -> dict[str, float]:
    """Largest difference of every recorded quantity."""
    return pcdm_differences(folder) if (folder / "stage1").is_dir() else fpdm_differences(folder)


def relative(value: Tensor, reference: Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    return float((value - reference.reshape(value.shape)).abs().max() / reference.abs().max())


def load_pcdm(folder: Path) -> PCDMPipeline:
    """The pipeline that the folder's three checkpoints become."""
    checkpoints = [folder / f"stage{stage}" / "mp_rank_00_model_states.pt" for stage in (1, 2, 3)]
    with tempfile.TemporaryDirectory() as temporary:
        convert_pcdm(checkpoints, Path(temporary) / "model", folder / "config.json")
        return PCDMPipeline.from_pretrained(Path(temporary) / "model")


@torch.no_grad()
def pcdm_differences(folder: Path) -> dict[str, float]:
    """Of PCDMs' three networks, from the recorded inputs."""
    pipeline, expected = load_pcdm(folder), load_file(folder / "expected.safetensors")
    prior, inpaint, refine = pipeline.prior, pipeline.inpaint, pipeline.refine
    poses = (expected[f"prior_{which}_pose"].unflatten(-1, (18, 2)).squeeze(1) for which in ("source", "target"))
    pose_tokens = prior.pose_tokens(*poses)
    noisy, source = expected["prior_noisy"].squeeze(1), expected["prior_source_embed"].squeeze(1)
    # As in rendering: the source's keys and values apart from those of the embedding, the last token.
    tokens, embedding = inpaint.source_tokens(expected["inpaint_dino"]), expected["inpaint_global"]
    context = inpaint.source_context(tokens).with_tokens(inpaint.source_context(embedding))
    features = inpaint.pose_features(expected["inpaint_pose"])
    refine_context = refine.source_context(refine.source_tokens(expected["refine_dino"]))
    result = {
        "inpaint_context": relative(torch.cat([tokens, embedding], dim=1), expected["inpaint_context"]),
        "inpaint_pose_features": relative(features, expected["inpaint_pose_features"]),
    }
    for number in (999, 500, 1):
        time = torch.tensor(number)
        values = {
            "prior": prior(noisy, time, source, pose_tokens),
            "inpaint": inpaint(expected["inpaint_latents"], time, context, features, embedding.squeeze(1)),
            "refine": refine(expected["refine_latents"], time, refine_context),
        }
        for stage, value in values.items():
            result[f"{stage}_out_t{number}"] = relative(value, expected[f"{stage}_out_t{number}"])
    return result


def fpdm_differences(folder: Path) -> dict[str, float]:
    """Of FPDM, from images to images."""
    pipeline = load(folder)
    settings = json.loads((folder / "config.json").read_text())
    expected = load_file(folder / "expected.safetensors")
    source, pose = (Image.open(folder / f"{name}.png").convert("RGB") for name in ("source", "pose"))
    latents = expected["init_latents"]
    tensors = [torch.from_numpy(np.array(image))[None] for image in (source, pose)]
    result = {}
    for name, value in intermediates(pipeline, *tensors, latents).items():
        result[name] = relative(value, expected[name])
    steps = settings["num_inference_steps"]
    for solver in ("ddim", "ddpm"):
        frames = pipeline(
            source_image=source,
            pose_images=[pose],
            num_inference_steps=steps,
            guidance_scale=settings["guidance_scale"],
            solver=solver,
            latents=latents,
            generator=torch.Generator().manual_seed(settings["seed"]),
        ).frames
        result[f"image_{solver}{steps}"] = float(np.abs(frames - expected[f"image_{solver}{steps}"].numpy()).max())
    return result


def main() -> None:
    """Print the table, and write it as JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = differences(arguments.folder)
    table = Table("quantity", "largest difference")
    for name, difference in result.items():
        table.add_row(name, f"{difference:.1e}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
