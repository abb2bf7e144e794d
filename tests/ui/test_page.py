"""The page in a real browser: the example in one click, a rendering, a download, bad uploads."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signgen.cli.demo import EXAMPLE
from signgen.video import VideoFile
from tests.conftest import heed_ctrl_c

pytest.importorskip("gradio", reason="Gradio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MAIN = "import sys; from signgen.cli import main; sys.exit(main())"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]


@pytest.fixture(scope="module")
def address(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, served as `signgen ui` does; its temporary files must be gone when it ends."""
    folder = tmp_path_factory.mktemp("temporary")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--model", str(tiny_model), "--max-megabytes", "1", "--max-frames", "60"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "ui", *options],
        stdout=subprocess.PIPE,
        env=environment,
        preexec_fn=heed_ctrl_c,
    ) as page:
        assert page.stdout is not None
        line = page.stdout.readline().decode()
        assert f"http://127.0.0.1:{port}/" in line
        yield f"http://127.0.0.1:{port}"
        assert list(folder.iterdir())
        page.send_signal(signal.SIGINT)
        assert page.wait(60) == 130
    assert not [path for path in folder.iterdir() if path.name.startswith("signgen-ui-")]
    assert not list(folder.rglob("*.mp4"))


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(90_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("#example")
        yield page
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)  # nothing from elsewhere
        browser.close()


def test_the_example_from_the_first_click_to_the_download(page: Any, tmp_path: Path) -> None:
    assert page.is_disabled("#start")
    page.click("#example")
    page.wait_for_selector("#drawn img")
    page.click("#start:not([disabled])")
    page.wait_for_selector("#result video")
    page.wait_for_selector("#download:not([disabled])")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "signing.mp4")
    with VideoFile(tmp_path / "signing.mp4") as video:
        assert (len(video), video.size) == (36, (210, 260))
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390  # a phone needs no sideways scrolling


def test_bad_uploads_say_what_is_wrong(page: Any, tmp_path: Path) -> None:
    bad, large = tmp_path / "bad.png", tmp_path / "large.npz"
    bad.write_text("no image")
    large.write_bytes(bytes(2 << 20))
    page.wait_for_selector("#image input[type=file]", state="attached")
    page.set_input_files("#image input[type=file]", bad)
    page.wait_for_selector("text=bad.png: not an image")
    assert str(tmp_path) not in page.inner_text("body")
    page.set_input_files("#poses input[type=file]", large)
    page.wait_for_selector("#poses >> text=Error")
    assert page.is_disabled("#start")


def test_a_image_alone_is_shown_and_cannot_be_rendered(page: Any) -> None:
    page.wait_for_selector("#image input[type=file]", state="attached")
    page.set_input_files("#image input[type=file]", EXAMPLE / "signer.png")
    page.wait_for_selector("#drawn img")
    assert page.is_disabled("#start")
