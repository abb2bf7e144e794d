"""`signgen ui`: a page in the browser to try a rendering."""

import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from signgen.cli.console import announce
from signgen.errors import UserError

FORM = 1 << 16  # bytes of a request around the file in it
HOST = "127.0.0.1"  # the page takes files from whoever reaches it


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page is: http://127.0.0.1:PORT.")] = 7860,
    model: Annotated[
        str | None, typer.Option(help="A model folder or hub id, offered beside the embedded models.")
    ] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, max=10_000, help="Largest file.")] = 50,
    max_frames: Annotated[int, typer.Option(min=1, max=100_000, help="Longest video.")] = 500,
    max_seconds: Annotated[int, typer.Option(min=1, max=86_400, help="Longest time that a video may take.")] = 600,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve a page on this machine to try a rendering in the browser. Ctrl-C ends it."""
    announce("Loading Gradio")
    import gradio  # noqa: F401 (before anything else: its absence is found at once)

    from signgen.io.model_location import embedded_models, model_folder

    if model is not None:
        model_folder(model)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="signgen-ui-"))
        os.environ["GRADIO_TEMP_DIR"] = folder  # before the page is built: it takes note of it then
        from starlette.middleware import Middleware

        from signgen.ui.actions import Limits
        from signgen.ui.page import CSS, EXAMPLE, build_page, theme
        from signgen.ui.request_guard import RequestGuard
        from signgen.ui.workers import Workers

        limits = Limits(max_megabytes, max_frames, max_seconds)
        workers = stack.enter_context(Workers(limits))
        page = build_page([*([model] if model else []), *embedded_models()], limits, workers)
        largest = (limits.megabytes << 20) + FORM
        hosts = frozenset(f"{name}:{port}" for name in (HOST, "localhost"))
        guard = Middleware(RequestGuard, hosts=hosts, largest=largest, folder=Path(folder))
        try:
            _, address, _ = page.queue(max_size=20).launch(
                server_name=HOST,
                server_port=port,
                share=False,
                inbrowser=open_browser,
                max_file_size=limits.megabytes << 20,
                app_kwargs={"middleware": [guard]},
                allowed_paths=[str(EXAMPLE)],
                theme=theme(),
                css=CSS,
                ssr_mode=False,
                quiet=True,
                prevent_thread_lock=True,
            )
        except OSError as error:
            raise UserError(f"port {port} of {HOST} is taken: choose another with --port") from error
        print(f"signgen ui: {address} (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        finally:
            page.close(verbose=False)
