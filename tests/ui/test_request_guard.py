import asyncio
from pathlib import Path
from typing import Any

import pytest

from signgen.ui.request_guard import STORED, RequestGuard

HOST = "127.0.0.1:7860"
PAGE = {"host": HOST}


async def page(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200})


def status(folder: Path, path: str, headers: Any, *body: bytes, largest: int = 2 << 20) -> int:
    guard = RequestGuard(page, frozenset({HOST}), largest, folder)
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    messages = [{"body": part, "more_body": number < len(body)} for number, part in enumerate(body, start=1)]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (PAGE, 200),
        (PAGE | {"origin": f"http://{HOST}"}, 200),
        ({}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example:7860"}, 403),
        ([("host", HOST), ("host", "evil.example")], 403),
        (PAGE | {"origin": "http://evil.example"}, 403),
        (PAGE | {"origin": f"https://{HOST}"}, 403),
        (PAGE | {"origin": "null"}, 403),
        (PAGE | {"content-length": "3000000"}, 413),
        (PAGE | {"content-length": "-1"}, 413),
        (PAGE | {"content-length": "²"}, 413),
    ],
)
def test_requests_come_from_the_page_itself(tmp_path: Path, headers: Any, expected: int) -> None:
    assert status(tmp_path, "/config", headers) == expected


def test_a_request_is_cut_off_where_it_is_too_large(tmp_path: Path) -> None:
    part = bytes(900_000)
    assert status(tmp_path, "/gradio_api/queue/join", PAGE, part) == 200
    assert status(tmp_path, "/gradio_api/queue/join", PAGE, part, part) == 413
    assert status(tmp_path, "/gradio_api/upload", PAGE, part, part) == 200
    assert status(tmp_path, "/gradio_api/upload", PAGE, part, part, part) == 413


def test_uploads_do_not_fill_the_disk(tmp_path: Path) -> None:
    with (tmp_path / "uploaded").open("wb") as file:
        file.truncate((STORED - 1) * 1000)
    assert status(tmp_path, "/gradio_api/upload", PAGE, b"x", largest=1000) == 200
    with (tmp_path / "uploaded").open("ab") as file:
        file.truncate(STORED * 1000)
    assert status(tmp_path, "/gradio_api/upload", PAGE, b"x", largest=1000) == 507
