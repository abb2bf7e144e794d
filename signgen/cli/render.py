"""`signgen render`: a first frame and poses become a video."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from signgen.cli.console import BASICS, MACHINE, POSES, QUALITY, SPEED, Json, announce, parse_size, report, track
from signgen.errors import UserError

Seed = Annotated[
    int,
    typer.Option(min=0, max=2**32 - 1, metavar="N", help="The same seed gives the same video.", rich_help_panel=BASICS),
]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...", rich_help_panel=MACHINE)
]


def render(
    frame: Annotated[Path, typer.Argument(metavar="FRAME", help="An image of the signer, or a video of them.")],
    poses: Annotated[
        Path,
        typer.Argument(
            metavar="POSES",
            help="A pose file, FILE::NAME, a folder of one JSON file a frame, or a video (or its frames).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.mp4", help="The video to write.", rich_help_panel=BASICS)
    ],
    model: Annotated[
        str,
        typer.Option(
            help="An embedded model's name, a model folder or a hub id.", metavar="MODEL", rich_help_panel=BASICS
        ),
    ] = "mini",
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampling steps.", metavar="N", rich_help_panel=QUALITY)
    ] = None,
    solver: Annotated[
        Literal["ddim", "ddpm", "dpm++", "unipc"] | None,
        typer.Option(help="How noise becomes a frame, step by step.", rich_help_panel=QUALITY),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Both guidance weights at once.", metavar="WEIGHT", rich_help_panel=QUALITY),
    ] = None,
    guidance_source: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Weight of pose and appearance.", metavar="WEIGHT", rich_help_panel=QUALITY),
    ] = None,
    guidance_fusion: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Weight of the fusion embedding.", metavar="WEIGHT", rich_help_panel=QUALITY),
    ] = None,
    guidance_steps: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="Guide these steps alone, from 0, B not included.", rich_help_panel=SPEED),
    ] = None,
    deep_cache: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Compute deep features at every Nth step alone.", metavar="N", rich_help_panel=SPEED
        ),
    ] = None,
    seed: Seed = 0,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="The size of the video, in which FRAME keeps its shape.",
            rich_help_panel=BASICS,
        ),
    ] = None,
    pose_size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="The size of the image that POSES are of; else what they say, or FRAME's.",
            rich_help_panel=POSES,
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="N|left|right|largest|x,y",
            help="Which of several people in POSES, N counted from 0 as `poses info` does; in a video, the box "
            "X,Y,WIDTH,HEIGHT to look into.",
            rich_help_panel=POSES,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=1000,
            help="Frame rate; poses of another rate are resampled.",
            metavar="RATE",
            rich_help_panel=BASICS,
        ),
    ] = None,
    frames: Annotated[
        str,
        typer.Option(metavar="A:B", help="Only these frames of POSES, from 0, B not included.", rich_help_panel=BASICS),
    ] = ":",
    smooth: Annotated[
        Literal["one-euro", "savitzky-golay"] | None,
        typer.Option(help="Steady the poses, short gaps filled.", rich_help_panel=POSES),
    ] = None,
    align: Annotated[
        Path | None,
        typer.Option(
            metavar="POSES",
            help="Fit the poses to the signer of FRAME: a file with their pose, or `estimate`.",
            rich_help_panel=POSES,
        ),
    ] = None,
    source_pose: Annotated[
        Path | None,
        typer.Option(
            metavar="POSES",
            help="The signer's own pose in FRAME: a file whose first frame it is, or `estimate`. Without it the pose "
            "of --align; else the first of POSES, where both are named alike; else it is estimated.",
            rich_help_panel=POSES,
        ),
    ] = None,
    keep_stages: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep what PCDMs' first stages make: embeddings, coarse images.",
            rich_help_panel=QUALITY,
        ),
    ] = None,
    estimator: Annotated[
        Literal["mediapipe", "mmpose"],
        typer.Option(help="What finds poses in a video; an optional package each.", rich_help_panel=POSES),
    ] = "mediapipe",
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Frames at a time; what a GPU has memory for unless given.",
            metavar="N",
            rich_help_panel=SPEED,
        ),
    ] = None,
    save_memory: Annotated[
        bool,
        typer.Option(
            "--save-memory",
            help="Guidance and decoding piece by piece: slower, the same frames.",
            rich_help_panel=SPEED,
        ),
    ] = False,
    compile: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the networks: takes minutes, which long videos on a GPU repay.",
            rich_help_panel=SPEED,
        ),
    ] = False,
    device: Device = "auto",
    dtype: Annotated[
        Literal["auto", "float32", "float16", "bfloat16"],
        typer.Option(
            metavar="TYPE",
            help="Of the networks: float32, float16, bfloat16, or auto: bfloat16 where this machine is faster in it.",
            rich_help_panel=MACHINE,
        ),
    ] = "auto",
    side_by_side: Annotated[
        Path | None,
        typer.Option(
            metavar="DRIVING", help="Put this video, the one POSES come from, on the left.", rich_help_panel=BASICS
        ),
    ] = None,
    fit: Annotated[
        Literal["signer", "crop", "squash"] | None,
        typer.Option(
            help="How FRAME is brought to the model: the signer at the size that it knows, the largest part of "
            "FRAME of its shape, or all of FRAME.",
            rich_help_panel=QUALITY,
        ),
    ] = None,
    noise_prior: Annotated[
        bool,
        typer.Option(
            "--noise-prior",
            help="Start from FRAME, noised, where the model's schedule allows it.",
            rich_help_panel=QUALITY,
        ),
    ] = False,
    count_flops: Annotated[
        bool,
        typer.Option(
            "--count-flops",
            help="Also report the share of the machine's arithmetic (seconds more).",
            rich_help_panel=MACHINE,
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Render the signer of FRAME making the movements of POSES, as an MP4.

    Where steps, solver, guidance or fit are not given, the model's own are used. Example:

    signgen render signer.jpg signing.pose -o out.mp4
    """
    from signgen.io.model_config import model_index
    from signgen.io.model_location import model_folder
    from signgen.poses.driving import driving_poses, signer_frame, source_pose_of
    from signgen.rendering.output_file import check_output
    from signgen.runtime.device_name import check_device
    from signgen.video import open_video

    kept, folder, largest = frame_range(frames), model_folder(model), parse_size(size)
    guided = frame_range(guidance_steps or ":", "--guidance-steps")
    check_device(device)
    check_output(output, inputs=[frame, poses, source_pose, side_by_side])
    image = signer_frame(frame)
    sequence, moments = driving_poses(
        poses,
        image,
        track,
        frames=kept,
        fps=fps,
        smooth=smooth,
        align_to=align,
        estimator=estimator,
        pose_size=parse_size(pose_size, "--pose-size"),
        person=person,
        device=device,
    )
    driving = None if side_by_side is None else open_video(side_by_side)

    announce(f"Loading {model}")
    import torch  # from here on it takes seconds: everything that can be wrong without it was looked at

    from signgen.rendering.output_size import output_image
    from signgen.rendering.render_to_file import Driving, pipeline_class, render_to_file

    pose_in_frame = None
    if pipeline_class(folder).needs_source_pose(model_index(folder)):
        pose_in_frame = source_pose_of(
            image,
            frame,
            poses,
            given=source_pose or align,
            estimator=estimator,
            pose_size=parse_size(pose_size, "--pose-size"),
            person=person,
            device=device,
        )
    result = render_to_file(
        output_image(image, largest),
        sequence,
        output,
        inputs={
            "frame": frame,
            "poses": poses,
            "frames": frames,
            "source_pose": source_pose,
            "side_by_side": side_by_side,
            "pose_size": pose_size,
            "person": person,
        },
        progress=track,
        source_pose=pose_in_frame,
        keep_stages=keep_stages,
        model=model,
        seed=seed,
        device=device,
        dtype=None if dtype == "auto" else getattr(torch, dtype),
        driving=None if driving is None else Driving(driving, moments, len(sequence)),
        steps=steps,
        solver=solver,
        guidance_source=guidance if guidance_source is None else guidance_source,
        guidance_fusion=guidance if guidance_fusion is None else guidance_fusion,
        guidance_steps=None if guidance_steps is None else (guided.start, guided.stop),
        deep_cache=deep_cache,
        batch_size=batch_size,
        save_memory=save_memory,
        compile=compile,
        fit=fit,
        noise_prior=noise_prior,
        count_flops=count_flops,
    )
    report(result, as_json, describe(result))


def describe(result: dict[str, Any]) -> str:
    """What `render_to_file` made, in a line."""
    width, height = result["size"]
    rate = result["frames"] / max(result["seconds"], 1e-6)
    return (
        f"{result['output']}: {result['frames']} frames of {width}x{height} at {result['fps']:g} fps, "
        f"made with {result['model']} in {result['seconds']:.1f} s ({rate:.1f} frames/s)"
    )


def frame_range(text: str, option: str = "--frames") -> slice:
    """A:B as a slice. Raises UserError for anything else, naming the option."""
    match = re.fullmatch(r"(-?\d{1,9})?:(-?\d{1,9})?", text)
    if not match:
        raise UserError(f"{option} {text}: expected A:B, such as 10:50, :50 or 10:")
    return slice(*(None if bound is None else int(bound) for bound in match.groups()))
