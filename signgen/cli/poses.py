"""`signgen poses`: look into pose files, convert, draw, smooth and extract them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from signgen.cli.console import Json, parse_size, report, track
from signgen.errors import UserError

if TYPE_CHECKING:
    from signgen.poses import PoseSequence

app = typer.Typer(help="Pose files: what is in them, conversion, drawing, smoothing.")

Source = Annotated[
    str, typer.Argument(metavar="POSES", help="A pose file, FILE::NAME, or a folder of one JSON file a frame.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="*.pose, *.npz, or a folder of OpenPose JSON (no suffix).")
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size", "--pose-size", metavar="WIDTHxHEIGHT", help="The image's size, in place of what the file says."
    ),
]
Person = Annotated[
    str | None,
    typer.Option(metavar="N|left|right|largest|x,y", help="Which of several people, N counted from 0 as `info` does."),
]
Fps = Annotated[float | None, typer.Option(help="The frame rate, where the file does not say.")]


@app.command()
def info(poses: Source, size: Size = None, as_json: Json = False) -> None:
    """Say what a pose file is: format, layout, frames, size, rate, and how much of each part was found."""
    from signgen.poses.formats.detect import holds_images, list_sequences, read_raw, split_name
    from signgen.poses.formats.pose_maps import read_pose_maps
    from signgen.poses.formats.summary import summary

    file, name = split_name(poses)
    if holds_images(file):
        drawn = read_pose_maps(file)
        drawn_result = {"path": poses, "format": "drawn poses", "frames": len(drawn), "size": drawn.size}
        return report(
            drawn_result, as_json, f"{poses}: drawn poses, {_frames(len(drawn))} {_x(drawn.size)}, no keypoints"
        )
    names = [own for own in list_sequences(file) if own]
    if name is None and len(names) > 1:
        shown = names[:20] + ["..."] * (len(names) > 20)
        text = f"{poses}: {len(names)} sequences, one is selected by FILE::NAME\n" + "\n".join(shown)
        return report({"path": poses, "sequences": names}, as_json, text)
    result: dict[str, Any] = {"path": poses} | summary(read_raw(poses), parse_size(size))
    dimensions = _x(result["size"]) if result["size"] else "of an image whose size the file does not say"
    rate = f"{result['fps']:g} fps" if result["fps"] else "at a rate that the file does not say"
    found = ", ".join(f"{part} {share:.0%}" for part, share in result["found"].items())
    text = f"{result['format']}, {result['layout']}, {_frames(result['frames'])} {dimensions}, {rate}{_noted(result)}"
    report(result, as_json, f"{poses}: {text}\nfound: {found}")


@app.command()
def convert(
    poses: Source,
    output: Output,
    skeleton: Annotated[
        Literal["coco-wholebody-133", "openpose-18"] | None, typer.Option(help="The file's own if not given.")
    ] = None,
    size: Size = None,
    person: Person = None,
    fps: Fps = None,
    resample: Annotated[float | None, typer.Option(metavar="FPS", help="Interpolate to this frame rate.")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror, left and right exchanged.")] = False,
    as_json: Json = False,
) -> None:
    """Write poses in another format, or another skeleton."""
    import signgen.poses as library

    sequence = _read(poses, pose_size=parse_size(size), person=person, fps=fps)
    if skeleton is not None:
        sequence = library.convert(sequence, skeleton)
    if resample is not None:
        sequence = sequence.resampled(resample)
    if flip:
        sequence = sequence.flipped()
    library.write_poses(sequence, output)
    _written(sequence, output, as_json)


@app.command()
def extract(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video, or a folder of images.")],
    output: Output,
    estimator: Annotated[Literal["mediapipe", "mmpose"], typer.Option(help="An optional package each.")] = "mediapipe",
    person: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,WIDTH,HEIGHT|POSES",
            help="Where several people are seen: the box to look into, or a file of rough poses to look around.",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="mmpose: another model's configuration.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="mmpose: weights, by path or URL.")] = None,
    device: Annotated[str, typer.Option(help="mmpose: cpu, cuda, ...")] = "cpu",
    as_json: Json = False,
) -> None:
    """Find the poses in a video."""
    from signgen.poses import extraction, read_poses, write_poses
    from signgen.poses.formats.writers import check_output
    from signgen.runtime.device_name import check_device
    from signgen.video import open_video

    check_output(output)
    check_device(device)
    box = _box(person)
    with open_video(video) as reader:
        where = read_poses(person, size=reader.stored_size) if person and box is None else box
        if estimator == "mediapipe":
            model = extraction.mediapipe_estimator()
        else:
            model = extraction.mmpose_estimator(config, checkpoint or extraction.HRNET_CHECKPOINT, device)
        with model as estimate:
            sequence = extraction.extract_poses(reader, estimate, where, track)
    write_poses(sequence, output)
    _written(sequence, output, as_json)


@app.command()
def smooth(
    poses: Source,
    output: Output,
    method: Annotated[Literal["one-euro", "savitzky-golay"], typer.Option()] = "one-euro",
    gaps: Annotated[float, typer.Option(min=0, max=60, help="Fill gaps up to this many seconds first.")] = 0.2,
    size: Size = None,
    person: Person = None,
    fps: Fps = None,
    as_json: Json = False,
) -> None:
    """Fill short gaps and steady the points."""
    import signgen.poses as library
    from signgen.poses.smoothing import SMOOTHERS

    sequence = _read(poses, pose_size=parse_size(size), person=person, fps=fps)
    sequence = SMOOTHERS[method](library.fill_gaps(sequence, max_seconds=gaps))
    library.write_poses(sequence, output)
    _written(sequence, output, as_json)


@app.command()
def draw(
    poses: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="*.mp4")],
    on: Annotated[Path | None, typer.Option(metavar="VIDEO", help="Draw over these frames.")] = None,
    size: Size = None,
    person: Person = None,
    fps: Fps = None,
    as_json: Json = False,
) -> None:
    """Draw poses as a video, on black or over the video they belong to."""
    from signgen.poses import draw_poses
    from signgen.poses.drawing import overlaid
    from signgen.rendering.output_file import check_output
    from signgen.video import VideoWriter, open_video

    check_output(output, [on])
    video = open_video(on) if on is not None else None
    sequence = _read(
        poses,
        pose_size=parse_size(size),
        size=video.stored_size if video else None,
        person=person,
        fps=fps or (video.fps if video else None),
    )
    width, height = video.size if video else sequence.size
    pose_maps = draw_poses(sequence, height, width)
    if video is not None:
        if len(video) != len(sequence):
            raise UserError(f"{on} has {len(video)} frames, but {poses} has {len(sequence)}")
        pose_maps = (overlaid(frame, drawing) for frame, drawing in zip(video, pose_maps, strict=True))
    with VideoWriter(output, sequence.fps, (width, height), {"poses": Path(poses).name}) as writer:
        for drawing in track(pose_maps, len(sequence), "Drawing"):
            writer.write(drawing)
    report(
        {"output": str(output), "frames": len(sequence), "size": [width, height], "fps": sequence.fps},
        as_json,
        f"{output}: {len(sequence)} frames of {width}x{height} at {sequence.fps:g} fps",
    )


def _read(poses: str, **options: Any) -> "PoseSequence":
    """Poses that can be seen; options as `read_poses`. UserError otherwise."""
    from signgen.errors import about
    from signgen.poses import read_poses
    from signgen.poses.visibility import check_visible

    sequence = read_poses(poses, **options)
    with about(poses):
        check_visible(sequence)
    return sequence


def _noted(result: dict[str, Any]) -> str:
    """What is out of the ordinary in a pose file, each as a part of a sentence."""
    from signgen.poses.visibility import MOST_INSIDE

    notes = []
    if result["coordinates"] != "pixels":
        notes.append(f", normalised coordinates ({result['coordinates']})")
    if result["people"] > 1:
        places = ", ".join(f"{number} at {x:.3g},{y:.3g}" for number, (x, y) in enumerate(result["people_at"]))
        notes.append(f", {result['people']} people ({places})")
    if result["inside"] is not None and result["inside"] < MOST_INSIDE:
        notes.append(f", {1 - result['inside']:.0%} of the points outside the image ({result['where']})")
    if result["empty_frames"]:
        notes.append(f", {result['empty_frames']} without anyone")
    return "".join(notes)


def _frames(count: int) -> str:
    return f"{count} {'frame' if count == 1 else 'frames'}"


def _x(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _box(text: str | None) -> tuple[int, int, int, int] | None:
    """The value of --person as a box; None where it is not given, or is a pose file."""
    from signgen.poses.extraction import parse_box
    from signgen.poses.formats.detect import split_name

    return None if text is None or split_name(text)[0].exists() else parse_box(text)


def _written(sequence: Any, output: Path, as_json: bool) -> None:
    report(
        {
            "output": str(output),
            "frames": len(sequence),
            "size": sequence.size,
            "fps": sequence.fps,
            "skeleton": sequence.skeleton,
        },
        as_json,
        f"{output}: {len(sequence)} frames, {sequence.skeleton}, {_x(sequence.size)}, {sequence.fps:g} fps",
    )
