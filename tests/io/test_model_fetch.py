import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.io.model_fetch import fetch_model
from signgen.io.provenance import model_hash

Serve = Callable[[dict[str, bytes]], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """serve(files) -> the URL of a zip archive that holds them."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def url(files: dict[str, bytes]) -> str:
        with zipfile.ZipFile(folder / "model.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return f"http://127.0.0.1:{server.server_port}/model.zip"

    yield url
    server.shutdown()


def test_an_archive_becomes_the_model(serve: Serve, tiny_model: Path, tmp_path: Path) -> None:
    files = {f"tiny/{p.relative_to(tiny_model)}": p.read_bytes() for p in tiny_model.rglob("*") if p.is_file()}
    fetch_model(serve(files), tmp_path / "fetched")
    assert model_hash(tmp_path / "fetched") == model_hash(tiny_model)
    with pytest.raises(UserError, match="exists already"):
        fetch_model("owner/name", tmp_path / "fetched")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model_index.json": b"{}", "model.py": b"print()"}, r"model\.py has no place"),
        ({"m/model_index.json": b"{}", "m/../../x.json": b"{}"}, r"x\.json has no place"),
        ({"m/model_index.json": b"{}", "x.json": b"{}"}, r"x\.json lies outside"),
        ({"m/model_index.json": b"{}", "n/model_index.json": b"{}"}, "2 model folders"),
        ({"m/model_index.json": b"[]"}, "no JSON object"),
        ({"a.txt": b""}, "0 model folders"),
    ],
)
def test_what_is_no_model_is_refused(serve: Serve, tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fetch_model(serve(files), tmp_path / "new" / "fetched")
    assert not list((tmp_path / "new").iterdir())


def test_sources_that_are_not_there(tmp_path: Path, serve: Serve) -> None:
    for source, message in (
        ("file:///etc/passwd", "fetched by https"),
        (serve({"a.txt": b""}).replace("model.zip", "other.zip"), "404"),
        ("owner/name", "the hub does not give"),
        (serve({}).replace("model.zip", ""), "no zip archive"),
    ):
        with pytest.raises(UserError, match=message):
            fetch_model(source, tmp_path / "fetched")
