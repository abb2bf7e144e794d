"""`signgen demo`: the packaged example through the embedded model."""

from pathlib import Path
from typing import Annotated

import typer

from signgen.cli.console import Json, announce, report, track
from signgen.cli.render import Device, Seed, describe

EXAMPLE = Path(__file__).parent.parent / "assets" / "example"


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.mp4", help="The video to write.")] = Path(
        "demo.mp4"
    ),
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Render the packaged example with the embedded model: no file and no network needed."""
    from signgen.poses import read_poses
    from signgen.rendering.output_file import check_output
    from signgen.runtime.device_name import check_device
    from signgen.video import read_image

    check_device(device)
    check_output(output, inputs=[])
    inputs = {"frame": EXAMPLE / "signer.png", "poses": EXAMPLE / "signer.npz"}
    image, poses = read_image(inputs["frame"]), read_poses(inputs["poses"])

    announce("Loading mini")
    from signgen.rendering.render_to_file import render_to_file

    result = render_to_file(
        image, poses, output, inputs=inputs, source_pose=poses[:1], progress=track, seed=seed, device=device
    )
    text = f"{describe(result)}\nThe signer of {inputs['frame']} in the poses of {inputs['poses']}."
    report(result, as_json, text)
