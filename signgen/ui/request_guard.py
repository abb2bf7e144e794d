"""Which requests reach the page: those of its own address alone, of a size that it can take."""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UPLOAD = "/upload"
MESSAGE = 1 << 20  # bytes of a request that uploads nothing
STORED = 40  # times the largest request: what uploads may take of the disk together


class RequestGuard:
    """ASGI middleware. A page of somebody else's must not use this one through the browser that shows both.

    Such requests carry that page's Origin; or, where its name is made to lead here (DNS rebinding), its Host.

    Args:
        app: the application behind.
        hosts: HOST:PORT under which the page is reached.
        largest: bytes of the largest request.
        folder: where uploads are kept.
    """

    def __init__(self, app: Any, hosts: frozenset[str], largest: int, folder: Path) -> None:
        self._app, self._hosts, self._largest, self._folder = app, hosts, largest, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        upload = scope["path"].rstrip("/").endswith(UPLOAD)
        limit = self._largest if upload else MESSAGE
        refusal = self._refusal(scope, limit, upload)
        if refusal is None:
            try:
                await self._app(scope, _limited(receive, limit), send)
            except _TooLargeError:
                refusal = 413, b"too large"
        if refusal is not None and scope["type"] == "http":
            status, text = refusal
            await send({"type": "http.response.start", "status": status, "headers": [(b"connection", b"close")]})
            await send({"type": "http.response.body", "body": text})
        elif refusal is not None:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, limit: int, upload: bool) -> tuple[int, bytes] | None:
        """Status and text for a request that is refused by its headers."""
        headers = {name.lower(): value.decode("latin1") for name, value in scope["headers"]}
        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        if len(hosts) != 1 or headers[b"host"] not in self._hosts:
            return 403, b"not the address of this page"
        if b"origin" in headers and headers[b"origin"] not in {f"http://{host}" for host in self._hosts}:
            return 403, b"not from this page"
        length = headers.get(b"content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 16) or int(length) > limit:
            return 413, b"too large"
        if upload and _stored(self._folder) + limit > STORED * self._largest:
            return 507, b"there is no room for more files: try again later"
        return None


class _TooLargeError(Exception):
    """A request sends more than it may."""


def _limited(receive: Receive, limit: int) -> Receive:
    """A request's body as it comes, cut off where it is too large: it need not say beforehand."""
    left = limit

    async def received() -> MutableMapping[str, Any]:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _TooLargeError
        return message

    return received


def _stored(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # removed meanwhile
            continue
    return total
