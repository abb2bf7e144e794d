"""Many requests to the page, a third of them hostile: it answers at the end, has not grown, and leaves no file."""

import http.client
import io
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import heed_ctrl_c

httpx = pytest.importorskip("httpx", reason="the page's packages are not installed")
pytest.importorskip("gradio", reason="Gradio is not installed")

pytestmark = pytest.mark.slow

REQUESTS = int(os.environ.get("REQUESTS", "300"))
GROWTH = 1.10
MAIN = "import sys; from signgen.cli import main; sys.exit(main())"


def test_the_page_outlives_hostile_requests(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", MAIN, "ui", "--port", str(port), "--max-megabytes", "1", "--max-frames", "40"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=heed_ctrl_c) as page:
        assert page.stdout is not None
        assert page.stdout.readline()
        visitor = Visitor(port, page.pid)
        for number in range(30):  # what libraries keep for good
            visitor.one(number)
        before = visitor.memory()
        for number in range(30, REQUESTS):
            visitor.one(number)
        after = visitor.memory()
        shown = visitor.look(*visitor.good)
        page.send_signal(signal.SIGINT)
        assert page.wait(60) == 130
    print(f"\n{visitor.counts}; memory of the page {before >> 20} MiB, after {REQUESTS} requests {after >> 20} MiB")
    assert "process_completed" in shown
    assert "error" not in visitor.counts
    assert after < GROWTH * before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("signgen-ui") or path.suffix == ".mp4"]


class Visitor:
    """Friendly and hostile requests, and what came of them."""

    def __init__(self, port: int, pid: int) -> None:
        from signgen.ui.page import EXAMPLE

        self.port, self.pid = port, pid
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=180)
        self.counts: dict[str, int] = {}
        image, poses = sorted(EXAMPLE.glob("*.png"))[0], sorted(EXAMPLE.glob("*.npz"))[0]
        self.good = self.upload(image.name, image.read_bytes()), self.upload(poses.name, poses.read_bytes())
        dependencies = self.client.get("/config").json()["dependencies"]
        self.look_at = next(d for d in dependencies if d["targets"][0][1] == "change")

    def one(self, number: int) -> None:
        random_ = random.Random(number)
        kinds = HOSTILE if number % 3 == 0 else FRIENDLY
        kind = random_.choice(kinds)
        start = time.monotonic()
        outcome = kind(self, random_)
        assert time.monotonic() - start < 150, kind.__name__
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def upload(self, name: str, content: bytes) -> str:
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)})
        return str(answer.json()[0]) if answer.status_code == 200 else ""

    def look(self, image: str, poses: str) -> str:
        """What the page sends when two files are chosen."""
        session = f"{random.random()}"
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} if path else None for path in (image, poses)]
        body = {"data": [*files, False, False], "fn_index": self.look_at["id"], "session_hash": session}
        joined = self.client.post("/gradio_api/queue/join", json=body)
        if joined.status_code != 200:
            return "refused"
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            return "".join(events.iter_text())

    def memory(self) -> int:
        """Bytes that the page itself holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


Kind = Callable[[Visitor, random.Random], str]


def _visit(visitor: Visitor, _: random.Random) -> str:
    return f"page {visitor.client.get('/').status_code}"


def _look(visitor: Visitor, _: random.Random) -> str:
    return "seen" if '"success":true' in visitor.look(*visitor.good).replace(" ", "") else "error"


def _image_alone(visitor: Visitor, _: random.Random) -> str:
    return "seen" if '"success":true' in visitor.look(visitor.good[0], "").replace(" ", "") else "error"


def _other_host(visitor: Visitor, _: random.Random) -> str:
    return f"other host {visitor.client.get('/config', headers={'host': 'evil.example'}).status_code}"


def _other_origin(visitor: Visitor, _: random.Random) -> str:
    answer = visitor.client.post("/gradio_api/queue/join", json={}, headers={"origin": "http://evil.example"})
    return f"other origin {answer.status_code}"


def _endless(visitor: Visitor, _: random.Random) -> str:
    """A body that does not say how long it is, and does not end."""
    connection = http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=60)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    try:
        for _ in range(100):
            connection.send(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
    except OSError:
        return "endless cut off"
    finally:
        connection.close()
    return "endless read"


def _no_json(visitor: Visitor, random_: random.Random) -> str:
    content = random_.randbytes(200)
    answer = visitor.client.post(
        "/gradio_api/queue/join", content=content, headers={"content-type": "application/json"}
    )
    return f"no JSON {answer.status_code}"


def _file_of_the_machine(visitor: Visitor, random_: random.Random) -> str:
    path = random_.choice(["/etc/passwd", "/dev/zero", "../../etc/passwd", "/proc/self/environ"])
    assert visitor.client.get(f"/gradio_api/file={path}").status_code != 200
    return "file refused" if '"success":true' not in visitor.look(path, path).replace(" ", "") else "error"


def _hostile_file(visitor: Visitor, random_: random.Random) -> str:
    name, content = random_.choice(list(_hostile_files().items()))
    path = visitor.upload(name, content)
    image, poses = (path, "") if name.endswith(".png") else (visitor.good[0], path)
    assert "process_completed" in visitor.look(image, poses)
    return "hostile file"


def _hostile_files() -> dict[str, bytes]:
    levels = b"".join(b"0](h" + bytes([n - 1]) + b"h" + bytes([n - 1]) + b"eq" + bytes([n]) for n in range(1, 40))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("keypoints.npy", "w") as member:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (200_000, 133, 3)}
        )
        member.write(header.getvalue())
        for _ in range(319):
            member.write(bytes(1_000_000))
    return {
        "itself.pkl": b"\x80\x02]q\x00(h\x00h\x00e.",
        "laughs.pkl": b"\x80\x02](K\x01K\x01eq\x00" + levels + b".",
        "code.pkl": b"cos\nsystem\n(S'touch ran'\ntR.",
        "bytes.pkl": b"\x80\x05\x96" + (5 * 10**9).to_bytes(8, "little") + b".",
        "flood.pkl": b"\x80\x02N" + b"2" * 900_000 + b".",
        "numbers.pkl": pickle.dumps({"a": list(range(100_000))}),
        "bomb.npz": bomb.getvalue(),
        "broken.png": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(ran) (w) file\nshowpage\n",
        "deep.json": b"[" * 500_000,
    }


FRIENDLY: list[Kind] = [_visit, _look, _image_alone]
HOSTILE: list[Kind] = [
    _other_host, _other_origin, _endless, _no_json, _file_of_the_machine, _hostile_file, _hostile_file, _hostile_file
]  # fmt: skip
