import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import av
import numpy as np
import pytest
import torch
from PIL import Image

from signgen.cli import demo as demo_verb
from signgen.cli import render as render_verb
from signgen.io import model_location
from signgen.io.provenance import model_hash
from signgen.rendering.framing import FITS
from signgen.sampling.solvers import SOLVERS
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.video import VideoWriter, open_video, read_image
from tests.cli.conftest import Cli
from tests.conftest import heed_ctrl_c

Render = Callable[..., list[str]]


@pytest.fixture(scope="session")
def model(tiny_pipeline: FPDMPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with frame.png (45x53), poses.npz (5 poses at 25 fps) and clip.mp4 (5 frames), and nothing else."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (53, 45, 3), np.uint8)).save(tmp_path / "frame.png")
    keypoints = np.concatenate([rng.uniform(5, 40, (5, 133, 2)), np.ones((5, 133, 1))], axis=2)
    np.savez(tmp_path / "poses.npz", keypoints=keypoints, size=np.array([45, 53]), fps=np.float32(25))
    with VideoWriter(tmp_path / "clip.mp4", 25, (80, 60)) as writer:
        for value in range(5):
            writer.write(np.full((60, 80, 3), 40 * value, np.uint8))
    return tmp_path


@pytest.fixture
def args(folder: Path, model: Path) -> Render:
    """The arguments of a rendering that works, with some replaced: args(frame="other.png") or args("--steps", 3)."""

    def build(*more: object, frame: str = "frame.png", poses: str = "poses.npz", output: str = "out.mp4") -> list[str]:
        files = [str(folder / frame), str(folder / poses), "-o", str(folder / output)]
        return ["render", *files, "--model", str(model), "--steps", "1", *map(str, more)]

    return build


def test_a_frame_for_every_pose_of_the_images_size(cli: Cli, args: Render, folder: Path, model: Path) -> None:
    status, out, err = cli(*args("--seed", 7))
    assert (status, err) == (0, "")
    assert out.startswith(f"{folder / 'out.mp4'}: 5 frames of 45x53 at 25 fps, made with tiny in ")
    with av.open(folder / "out.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.codec_context.name) == (5, 25, "h264")
        assert (stream.width, stream.height) == (46, 54)  # yuv420p needs even sides
        metadata = container.metadata
    assert metadata["comment"].startswith("Synthetic media")
    assert metadata["model"] == "tiny"
    assert metadata["model_sha256"] == model_hash(model)
    assert metadata["seed"] == "7"
    assert metadata["software"].startswith("signgen ")


def test_json_is_what_is_written_beside_the_video(cli: Cli, args: Render, folder: Path) -> None:
    status, out, err = cli(*args("--json", "--guidance", 3, "--guidance-fusion", 1.5, "--solver", "unipc"))
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert result == json.loads((folder / "out.mp4.json").read_text())
    assert "flop_utilisation" not in result  # to count takes longer than to render a second of video
    assert json.loads(cli(*args("--json", "--count-flops")).out)["flop_utilisation"] > 0
    expected = {"frames": 5, "fps": 25, "size": [45, 53], "seed": 0, "steps": 1, "solver": "unipc", "fit": "crop"}
    assert expected.items() <= result.items()
    assert (result["guidance_source"], result["guidance_fusion"]) == (3, 1.5)
    assert result["frame"] == str(folder / "frame.png")
    assert sorted(os.listdir(folder)) == ["clip.mp4", "frame.png", "out.mp4", "out.mp4.json", "poses.npz"]


def test_frames_and_fps_choose_what_is_rendered(cli: Cli, args: Render) -> None:
    assert json.loads(cli(*args("--json", "--frames", "1:4")).out)["frames"] == 3
    assert json.loads(cli(*args("--json", "--frames", "-2:")).out)["frames"] == 2
    result = json.loads(cli(*args("--json", "--fps", 50)).out)
    assert (result["frames"], result["fps"]) == (10, 50)


def test_shortcuts_are_recorded(cli: Cli, args: Render) -> None:
    result = json.loads(cli(*args("--json", "--guidance-steps", ":2", "--deep-cache", 2, "--steps", 3)).out)
    assert (result["guidance_steps"], result["deep_cache"], result["steps"]) == ([None, 2], 2, 3)


def test_saving_memory_and_compiling_are_passed_on(cli: Cli, args: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(FPDMPipeline, "save_memory", lambda pipeline, on: asked.append(on))
    monkeypatch.setattr(FPDMPipeline, "compile", lambda pipeline: asked.append("compile"))
    assert cli(*args()).status == cli(*args("--save-memory", "--compile")).status == 0
    assert asked == [False, True, "compile"]


def test_a_video_serves_as_first_frame(cli: Cli, args: Render) -> None:
    assert json.loads(cli(*args("--json", frame="clip.mp4")).out)["size"] == [80, 60]


def test_side_by_side_shows_the_same_moments(cli: Cli, args: Render, folder: Path) -> None:
    result = json.loads(cli(*args("--json", "--side-by-side", folder / "clip.mp4", "--frames", "2:")).out)
    width = round(80 * 53 / 60)
    assert result["size"] == [width + 45, 53]
    with open_video(folder / "out.mp4") as video:
        shown = [int(frame[:50, : width - 4].mean()) for frame in video]
    assert shown == pytest.approx([80, 120, 160], abs=4)


def test_the_same_seed_gives_the_same_video_in_other_batches(cli: Cli, args: Render, folder: Path) -> None:
    videos = []
    for options in (["--batch-size", 5], ["--batch-size", 3], ["--seed", 1]):
        assert cli(*args(*options)).status == 0
        with open_video(folder / "out.mp4") as video:
            videos.append(np.stack(list(video)).astype(int))
    assert np.abs(videos[0] - videos[1]).max() <= 2
    assert np.abs(videos[0] - videos[2]).max() > 10


def test_choices_are_those_of_the_library() -> None:
    hints = get_type_hints(render_verb.render)
    choices = {name: get_args(get_args(hints[name])[0]) for name in ("solver", "fit")}
    assert choices == {"solver": tuple(SOLVERS), "fit": FITS}


def arrays(folder: Path, **content: np.ndarray) -> None:
    np.savez(folder / "bad.npz", **content)


BROKEN_FILES: dict[str, tuple[Callable[[Path], object], dict[str, str], str]] = {
    "no frame": (lambda _: None, {"frame": "no.png"}, "no.png: no such image"),
    "no video": (lambda _: None, {"frame": "no.mp4"}, "no.mp4"),
    "broken image": (
        lambda f: (f / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n junk"),
        {"frame": "bad.png"},
        "bad.png",
    ),
    "broken video": (lambda f: (f / "bad.mp4").write_bytes(b"\0\0\0 ftypisom junk"), {"frame": "bad.mp4"}, "bad.mp4"),
    "cut video": (
        lambda f: (f / "bad.mp4").write_bytes((f / "clip.mp4").read_bytes()[:300]),
        {"frame": "bad.mp4"},
        "bad.mp4",
    ),
    "empty file": (lambda f: (f / "bad.mp4").touch(), {"frame": "bad.mp4"}, "bad.mp4"),
    "empty folder": (lambda f: (f / "bad").mkdir(), {"frame": "bad"}, "bad: the folder holds no images"),
    "text": (lambda f: (f / "bad.txt").write_text("hello"), {"frame": "bad.txt"}, "bad.txt"),
    "no poses": (lambda _: None, {"poses": "no.npz"}, "no.npz: "),
    "a folder of poses": (lambda f: (f / "bad").mkdir(), {"poses": "bad"}, "bad"),
    "no pose file": (lambda _: None, {"poses": "frame.png"}, "frame.png: not a pose file"),
    "empty poses": (lambda f: (f / "bad.npz").touch(), {"poses": "bad.npz"}, "bad.npz: the file is empty"),
    "no sequence": (lambda f: arrays(f, keypoints=np.zeros((0, 133, 3))), {"poses": "bad.npz"}, "bad.npz"),
    "wrong shape": (lambda f: arrays(f, keypoints=np.zeros((5, 7, 3))), {"poses": "bad.npz"}, "bad.npz"),
    "body only": (lambda f: arrays(f, keypoints=np.ones((5, 18, 3))), {"poses": "bad.npz"}, "whole-body"),
    "wrong type": (lambda f: arrays(f, keypoints=np.array(["a"])), {"poses": "bad.npz"}, "bad.npz"),
    "pickle": (lambda f: np.save(f / "bad.npy", np.array([{}]), allow_pickle=True), {"poses": "bad.npy"}, "bad.npy"),
    "absurd size": (
        lambda f: arrays(f, keypoints=np.ones((5, 133, 3)), size=np.array([0, -3])),
        {"poses": "bad.npz"},
        "image size (0, -3)",
    ),
    "absurd rate": (
        lambda f: arrays(f, keypoints=np.ones((5, 133, 3)), fps=np.float32("nan")),
        {"poses": "bad.npz"},
        "nan frames per second",
    ),
    "unknown name": (lambda _: None, {"poses": "poses.npz::other"}, "poses.npz: "),
    "not an MP4": (lambda _: None, {"output": "out.gif"}, "out.gif: the output is an MP4"),
    "no name": (lambda _: None, {"output": ""}, "give a name that ends in .mp4"),
    "a folder": (lambda f: (f / "bad.mp4").mkdir(), {"output": "bad.mp4"}, "bad.mp4 is a folder"),
    "below a file": (lambda _: None, {"output": "frame.png/out.mp4"}, "frame.png is not a folder"),
    "swapped": (lambda _: None, {"frame": "poses.npz", "poses": "frame.png"}, "poses.npz: this is a pose file: FRAME"),
    "over an input": (lambda _: None, {"frame": "clip.mp4", "output": "clip.mp4"}, "clip.mp4 is an input as well"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_files_are_one_line_and_leave_nothing(cli: Cli, args: Render, folder: Path, case: str) -> None:
    prepare, replaced, message = BROKEN_FILES[case]
    prepare(folder)
    assert_refused(cli, args(**replaced), folder, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "'--steps'"),
        (["--steps", "-1"], "'--steps'"),
        (["--steps", "1e3"], "'--steps'"),
        (["--steps", "100000"], "'--steps'"),
        (["--guidance", "nan"], "'--guidance'"),
        (["--guidance", "inf"], "'--guidance'"),
        (["--guidance-source", "-1"], "'--guidance-source'"),
        (["--guidance-fusion", "1e9"], "'--guidance-fusion'"),
        (["--solver", "euler"], "'euler' is not one of"),
        (["--seed", "-1"], "'--seed'"),
        (["--seed", str(2**64)], "'--seed'"),
        (["--fps", "0"], "'--fps'"),
        (["--fps", "nan"], "'--fps'"),
        (["--batch-size", "0"], "'--batch-size'"),
        (["--batch-size", str(10**9)], "'--batch-size'"),
        (["--frames", "3"], "--frames 3: expected A:B"),
        (["--frames", "1:2:3"], "expected A:B"),
        (["--guidance-steps", "x"], "--guidance-steps x: expected A:B"),
        (["--deep-cache", "0"], "'--deep-cache'"),
        (["--frames", "a:b"], "expected A:B"),
        (["--frames", "9:12"], "frames 9:12 of 5 poses: none is left"),
        (["--frames", "3:2"], "none is left"),
        (["--fit", "stretch"], "'stretch' is not one of"),
        (["--dtype", "int8"], "'int8' is not one of"),
        (["--device", "toaster"], "device 'toaster' cannot be used here"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used here"),
        (["--side-by-side", "no.mp4"], "no.mp4"),
        (["--model", "minni"], "unknown model 'minni'"),
        (["--model", "/"], "/ is not a model folder"),
        (["--model", ""], "model"),
        (["--stpes", "3"], "No such option: --stpes (Possible options:"),
        (["one-more"], "unexpected extra argument"),
    ],
)
def test_wrong_options_are_one_line_and_leave_nothing(
    cli: Cli, args: Render, folder: Path, options: list[str], message: str
) -> None:
    assert_refused(cli, args(*options), folder, message)


def test_a_video_beside_that_ends_too_early(cli: Cli, args: Render, folder: Path) -> None:
    message = "ends after 5 frames, the poses need 10"
    np.savez(folder / "long.npz", keypoints=np.ones((10, 133, 3), np.float32))
    assert_refused(cli, args("--side-by-side", folder / "clip.mp4", poses="long.npz"), folder, message)


def assert_refused(cli: Cli, args: list[str], folder: Path, message: str) -> None:
    before = sorted(folder.rglob("*"))
    status, out, err = cli(*args)
    assert message in err
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_what_is_wrong_with_files_is_found_without_torch(folder: Path) -> None:
    script = "import sys; from signgen.cli import main; sys.exit(main() + 10 * ('torch' in sys.modules))"
    (folder / "bad.npz").touch()
    good = ["frame.png", "poses.npz", "-o", "out.mp4"]
    wrong = [
        ["no.png", "poses.npz", "-o", "out.mp4"],
        ["frame.png", "bad.npz", "-o", "out.mp4"],
        ["frame.png", "poses.npz", "-o", "frame.png/out.mp4"],
        [*good, "--frames", "x"],
        [*good, "--device", "toaster"],
        *([] if torch.backends.cuda.is_built() else [[*good, "--device", "cuda"]]),
    ]
    for given in wrong:
        done = subprocess.run([sys.executable, "-c", script, "render", *given], cwd=folder, capture_output=True)
        assert done.returncode == 2, done.stderr


def test_ctrl_c_leaves_nothing(folder: Path, args: Render) -> None:
    np.savez(folder / "long.npz", keypoints=np.ones((5000, 133, 3), np.float32))
    before = sorted(folder.rglob("*"))
    command = [Path(sys.executable).with_name("signgen"), *args(poses="long.npz"), "--steps", "100"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        preexec_fn=heed_ctrl_c,
    ) as process:
        assert process.stderr
        assert next(line for line in process.stderr if line.startswith("Rendering: "))
        assert list(folder.glob("*.partial"))
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # every thread says where it hangs
            pytest.fail(process.communicate()[1])
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before


def test_demo_renders_the_packaged_example(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, tmp_path / "models" / "mini")
    monkeypatch.setattr(model_location, "EMBEDDED", tmp_path / "models")
    output = tmp_path / "out" / "demo.mp4"
    run = cli("demo", "-o", output)
    assert run.status == 0
    assert run.out.startswith(f"{output}: 36 frames of 210x260 at 25 fps, made with mini")
    assert str(demo_verb.EXAMPLE / "signer.png") in run.out
    with open_video(output) as video:
        assert (len(video), video.size, video.fps) == (36, (210, 260), 25)
    assert json.loads((tmp_path / "out" / "demo.mp4.json").read_text())["model"] == "mini"
    assert_refused(cli, ["demo", "-o", str(tmp_path)], tmp_path, "give a name that ends in .mp4")


def test_models_are_listed_and_described(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, tmp_path / "mini")
    monkeypatch.setattr(model_location, "EMBEDDED", tmp_path)
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    (found,) = json.loads(cli("models", "list", "--json").out)["models"]
    assert (found["name"], found["bytes"], found["licence"]) == ("mini", size, "not stated")
    assert cli("models", "list").out == f"mini  {size / 2**20:.1f} MiB, licence not stated; data: not stated\n"
    result = json.loads(cli("models", "info", "mini", "--json").out)
    assert result["sha256"] == model_hash(model)
    assert result["image_size"] == [52, 42]
    assert set(result["parts"]) == {"fusion", "scheduler", "source_encoder", "unet", "vae"}
    (tmp_path / "mini" / "README.md").write_text("---\nlicense: mit\n---\n# mini\n\n## Data\n\nTwo clips. No more.\n")
    assert "licence mit; data: Two clips\n" in cli("models", "list").out
    assert "data:\n  Two clips. No more.\n\nlimits:\n  not stated" in cli("models", "info", "mini").out
    assert json.loads(cli("models", "info", "mini", "--json").out)["card"]["licence"] == "mit"
    assert "unet: ConditionalUNet" in cli("models", "info", model).out
    assert cli("models", "info", "minni").err.startswith("signgen: unknown model 'minni'")


def test_parameters_are_counted_as_the_model_has_them(cli: Cli, model: Path, tiny_pipeline: FPDMPipeline) -> None:
    parts = json.loads(cli("models", "info", model, "--json").out)["parts"]
    for name in ("fusion", "source_encoder", "unet", "vae"):
        counted = sum(parameter.numel() for parameter in getattr(tiny_pipeline, name).parameters())
        assert parts[name]["parameters"] == counted


@pytest.mark.slow
def test_demo_with_the_model_in_the_package(cli: Cli, tmp_path: Path) -> None:
    assert cli("demo", "-o", tmp_path / "demo.mp4").status == 0
    source = read_image(demo_verb.EXAMPLE / "signer.png").astype(int)
    with open_video(tmp_path / "demo.mp4") as video:
        assert (len(video), video.size, video.fps) == (36, (210, 260), 25)
        still, moved = (np.abs(video[frame].astype(int) - source) for frame in (0, 18))
    # The first pose is that of the source image: a model that works gives the image back, nearly.
    assert still.mean() < 8
    assert (moved > 60).mean() > 1.5 * (still > 60).mean()
