"""The page: two files in, a preview of the skeleton, a video out."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from signgen.errors import UserError
from signgen.ui.actions import Limits
from signgen.ui.workers import READERS, Workers

EXAMPLE = Path(__file__).parent.parent / "assets" / "example"
# Gradio's copies of uploads and results: how often it looks for old ones, and how old these may be, in seconds.
DELETE_EVERY, DELETE_AGE = 300, 3600
TROUBLE = "This does not work"
# No function that other programs could call.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
CSS = """
.gradio-container { max-width: 1100px !important; margin: 0 auto !important; }
#title h1 { margin-bottom: 0.2em; }
#note { opacity: 0.75; font-size: 0.9em; }
footer { display: none !important; }
"""


def theme() -> gr.themes.Base:
    """With the system's fonts: the usual ones come from the network."""
    return gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def build_page(models: list[str], limits: Limits, workers: Workers) -> gr.Blocks:
    """The page, to be launched. models: what can be chosen, the first by default."""
    with gr.Blocks(title="signgen", analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AGE)) as page:
        gr.Markdown(
            "# signgen\nA image of a signer and movements become a video of that signer making these movements.",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(min_width=320):
                image = gr.File(label="Signer: image or video", height=120, elem_id="image")
                poses = gr.File(label="Movements: poses or video", height=120, elem_id="poses")
                example = gr.Button("Try the example", elem_id="example")
                drawn = gr.Image(
                    label="Preview", interactive=False, height=220, buttons=["fullscreen"], elem_id="drawn"
                )
                with gr.Accordion("Settings", open=False):
                    model = gr.Dropdown(models, value=models[0], label="Model")
                    steps = gr.Slider(0, 50, 0, step=1, label="Steps (0: the model's own)")
                    seed = gr.Number(0, precision=0, minimum=0, maximum=2**32 - 1, label="Seed")
                    smooth = gr.Checkbox(False, label="Steady the movements")
                    align = gr.Checkbox(False, label="Fit the movements to the signer's build")
                start = gr.Button("Render", variant="primary", interactive=False, elem_id="start")
            with gr.Column(min_width=320):
                result = gr.Video(
                    label="Skeleton and signer",
                    interactive=False,
                    height=420,
                    autoplay=True,
                    loop=True,
                    buttons=[],
                    elem_id="result",
                )
                download = gr.DownloadButton("Download the video", interactive=False, elem_id="download")
                gr.Markdown(
                    f"Files up to {limits.megabytes} MB, up to {limits.frames} frames. A signer is an image, or the "
                    "first frame of a video; movements are a pose file of any format that `signgen poses info` knows, "
                    "or a video of someone signing.\n\nOne rendering at a time, others wait in line. Everything stays "
                    "on this machine and is removed after an hour, or when the page is shut down.\n\nAnimate "
                    "images of people with their consent only, and say that the video is generated.",
                    elem_id="note",
                )
        files = [image, poses, smooth, align]

        def look(
            image: str | None,
            poses: str | None,
            smooth: bool,
            align: bool,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio looks for it)
        ) -> tuple[np.ndarray | None, Any]:
            shown, ready = None, False
            try:
                shown, ready = workers.look(_path(image), _path(poses), smooth, align, told=_teller(progress))
            except UserError as error:
                gr.Warning(_readable(error, image, poses), duration=None, title=TROUBLE)
            return shown, gr.update(interactive=ready)

        def start_rendering(
            image: str | None,
            poses: str | None,
            smooth: bool,
            align: bool,
            model: str,
            steps: float,
            seed: float | None,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio looks for it)
        ) -> Iterator[tuple[str, Any]]:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    if not image or not poses:
                        raise UserError("give an image and movements")
                    chosen = (Path(image), Path(poses), smooth, align), (model, int(steps) or None, int(seed or 0))
                    video, beside = workers.render(*chosen, Path(folder), told=_teller(progress))
                except UserError as error:
                    message = _readable(error, image, poses)
                    raise gr.Error(message, duration=None, title=TROUBLE, print_exception=False) from error
                yield str(beside), gr.update(value=str(video), interactive=True)  # Gradio has copies when it is back

        for component in files:
            component.change(look, files, [drawn, start], concurrency_limit=READERS, concurrency_id="look", **PRIVATE)
        example.click(_example, None, [image, poses], **PRIVATE)
        start.click(start_rendering, [*files, model, steps, seed], [result, download], concurrency_limit=1, **PRIVATE)
    return page


def _example() -> tuple[str, str]:
    return str(EXAMPLE / "signer.png"), str(EXAMPLE / "signer.npz")


def _path(file: str | None) -> Path | None:
    return Path(file) if file else None


def _teller(progress: gr.Progress) -> Callable[[tuple[int, int, str]], None]:
    """The page's progress bar."""

    def told(state: tuple[int, int, str]) -> None:
        done, total, what = state
        progress((done, total), desc=what, unit="frames")

    return told


def _readable(error: UserError, *files: str | None) -> str:
    """The message, with files by the names that the user knows."""
    message = str(error)
    for file in filter(None, files):
        message = message.replace(file, Path(file).name)
    return message
