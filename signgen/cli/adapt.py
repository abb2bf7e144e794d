"""`signgen adapt`: the embedded model, fine-tuned to the signer of one clip."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from signgen.cli.console import Json, Meter, announce, parse_size, report, track
from signgen.cli.render import frame_range

if TYPE_CHECKING:
    from signgen.training.loop import Report


def adapt(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A clip of the signer: a video, or its images.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="The folder of the new model.")],
    poses: Annotated[
        Path | None, typer.Option(metavar="POSES", help="Pose file with the poses of VIDEO; else they are estimated.")
    ] = None,
    pose_size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT", help="The size of the image that POSES are of; else what they say, or VIDEO's."
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="N|left|right|largest|x,y",
            help="Which of several people in POSES; without POSES, the box X,Y,WIDTH,HEIGHT to look into.",
        ),
    ] = None,
    frames: Annotated[
        str, typer.Option(metavar="A:B", help="Only these frames of VIDEO, from 0, B not included.")
    ] = ":",
    estimator: Annotated[
        Literal["mediapipe", "mmpose"], typer.Option(help="What finds poses in VIDEO; an optional package each.")
    ] = "mediapipe",
    model: Annotated[str, typer.Option(help="Where to start: the embedded model, or one of its size.")] = "mini",
    effort: Annotated[float, typer.Option(min=0.01, max=100, help="Times the usual number of training steps.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Adapt the embedded model to the signer of VIDEO: minutes on two cores. `render --model MODEL` then renders them.

    Stopped, the same command goes on where it was.
    """
    from signgen.io.atomic_files import check_writable
    from signgen.poses.driving import driving_poses
    from signgen.video import open_video

    check_writable(output, folder=True)
    kept = frame_range(frames)
    with open_video(video) as reader:
        sequence, _ = driving_poses(
            poses or video,
            reader[0],
            track,
            frames=kept,
            estimator=estimator,
            pose_size=parse_size(pose_size, "--pose-size"),
            person=person,
        )
        clip = [reader[index] for index in range(len(reader))[kept]]

    announce(f"Loading {model}")
    from signgen.rendering.adaptation import Effort
    from signgen.rendering.adaptation import adapt as run

    usual = Effort()
    chosen = Effort(decoder=max(1, round(usual.decoder * effort)), denoiser=max(1, round(usual.denoiser * effort)))
    latest: dict[str, dict[str, Any]] = {}
    with ExitStack() as meters:

        def reports(name: str, steps: int) -> "Report":
            meters.pop_all().close()
            meter = meters.enter_context(Meter(steps, f"Training the {name}", "steps"))

            def show(step: int, values: dict[str, float]) -> None:
                latest[name] = {**values, "step": step}
                meter.update(step, f"loss {values['loss']:.4g}")

            return show

        run(clip, sequence, output, reports=reports, model=model, effort=chosen)
    result = {"model": str(output), "from": model, "frames": len(clip), **latest}
    report(result, as_json, f"{output}: {model}, adapted to the signer of {video} from {len(clip)} frames")
