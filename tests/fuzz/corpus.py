"""Valid files of every kind that the readers take, made here: what mutation begins with."""

import gzip
import io
import json
import pickle
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image

from signgen.poses import PoseSequence, write_poses
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import preset

Files = dict[str, bytes]  # of a folder, by their names in it
POINTS = np.random.default_rng(0).random((4, 133, 3), np.float32) * (200, 250, 1)


def _written(write: Callable[[Any], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


@cache
def poses(suffix: str) -> Files:
    """What signgen writes: one file, or a folder of OpenPose's JSON."""
    sequence = PoseSequence(POINTS.astype(np.float32), (210, 260), 25.0, "coco-wholebody-133")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        write_poses(sequence, path)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return {file.name: file.read_bytes() for file in files}


def arrays() -> list[Files]:
    return [{"x": _written(lambda file: np.save(file, POINTS))}, {"x": _written(lambda file: np.save(file, POINTS[0]))}]


def archives() -> list[Files]:
    clips = {"a": POINTS, "b": POINTS[:2]}
    return [{"x": poses(".npz")["x.npz"]}, {"x": _written(lambda file: np.savez_compressed(file, **clips))}]


def json_poses() -> list[Files]:
    person = {"keypoints": POINTS[0, :, :2].tolist(), "keypoint_scores": POINTS[0, :, 2].tolist()}
    frames = {"instance_info": [{"frame_id": 0, "instances": [person]}]}
    openpose = next(iter(poses("").values()))
    return [{"x": openpose}, {"x": json.dumps(frames).encode()}, {"x": json.dumps([person]).encode()}]


def deepfashion_rows() -> list[Files]:
    rows = "\n".join(f"{x:.1f} {y:.1f}" for x, y, _ in POINTS[0, :18])
    table = "name:keypoints_y:keypoints_x\n" + "".join(f"{n}.jpg: {list(range(18))}: {list(range(18))}\n" for n in "ab")
    return [{"x": rows.encode()}, {"x": table.encode()}]


def pickles() -> list[Files]:
    clips = {"test/a": {"keypoint": torch.from_numpy(POINTS)}, "test/b": {"keypoint": torch.from_numpy(POINTS[:2])}}
    rows = [{"name": "a", "keypoints": POINTS}, {"name": "b", "keypoints": POINTS.tolist()}]
    return [{"x": pickle.dumps(data, protocol)} for data in (clips, rows) for protocol in (2, 4, 5)]


def labels() -> list[Files]:
    entries = [{"name": f"dev/{n}", "signer": "s", "gloss": "A B", "text": "a b", "num_frames": 3} for n in "ab"]
    return [{"x": gzip.compress(pickle.dumps(entries, protocol))} for protocol in (2, 4)]


def images() -> list[Files]:
    image = Image.fromarray((POINTS[0, :48, None, :] * np.ones((1, 32, 1))).astype(np.uint8))
    kinds = {"png": {}, "jpg": {"progressive": True}, "webp": {}, "bmp": {}, "tif": {"compression": "tiff_lzw"}}
    names = {"jpg": "jpeg", "tif": "tiff"}
    return [
        {f"0.{suffix}": _written(lambda file, s=suffix, o=options: image.save(file, names.get(s, s), **o))}  # type: ignore[misc]
        for suffix, options in kinds.items()
    ] + [{"0.png": _written(lambda file: image.convert("RGBA").save(file, "png"))}]


def videos() -> list[Files]:
    kinds = ("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")
    return [{"x": _video(*kind)} for kind in kinds]


def _video(container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((64, 48, 3), 40 * number, np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def text(*contents: str) -> Callable[[], list[Files]]:
    return lambda: [{"x": content.encode()} for content in contents]


def checkpoints() -> list[Files]:
    state = OrderedDict({"unet.a": torch.arange(6.0).reshape(2, 3), "vae.x": torch.zeros(2, 2).t()})
    state["unet.b"] = torch.ones(3, dtype=torch.float16)
    tops = {"state_dict": state, "epoch": 1, "optimizer": [{"lr": 1e-3}]}, {"module": {"pose_proj.w": torch.ones(2)}}
    return [{"step-00000001.pt": _written(lambda file, top=top: torch.save(top, file))} for top in tops]  # type: ignore[misc]


@cache
def model() -> Files:
    """A small model's folder, with a card."""
    with tempfile.TemporaryDirectory() as folder:
        FPDMPipeline.from_preset(preset("tiny")).save_pretrained(folder)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    return files | {"README.md": b"---\nlicense: apache-2.0\n---\n\n# tiny\n\n## Data\n\nNone.\n"}


def model_archives() -> list[Files]:
    small = {name: content for name, content in model().items() if name.endswith((".json", ".md"))}

    def write(file: Any, root: str) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in small.items():
                archive.writestr(root + name, content)

    return [{"x.zip": _written(lambda file, root=root: write(file, root))} for root in ("", "model/")]  # type: ignore[misc]
