"""What people and scrapers ask for: the root, the metrics, the API's document and the page that shows it."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

from model.rest.answer import Answer, json_answer
from model.rest.request import Request

_HTML: Final = b"text/html; charset=utf-8"


async def root(_: Request) -> Answer:
    """Answer as KServe does, whose V1 clients ask here whether the server lives."""
    return json_answer({"status": "alive"})


async def metrics(request: Request) -> Answer:
    """Give Prometheus its page."""
    accept = request.headers.get(b"accept")
    body, content_type = await request.dataplane.metrics_page(
        request.client, None if accept is None else accept.decode("latin-1")
    )
    return Answer(body, content_type=content_type.encode())


async def openapi(request: Request) -> Answer:
    """Give the API's document."""
    return Answer(request.service.openapi(request.client))


async def docs(_: Request) -> Answer:
    """Show the API to people."""
    page, policy = _docs()
    return Answer(page, 200, _HTML, ((b"content-security-policy", policy), (b"x-content-type-options", b"nosniff")))


@cache
def _docs() -> tuple[bytes, bytes]:
    page = (files("model.rest") / "static" / "docs.html").read_bytes()
    # Nothing from elsewhere is loaded, framed or sent to; of inline code only what this very file holds may run.
    policy = (
        f"default-src 'none'; script-src {_digest(page, 'script')}; style-src {_digest(page, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy.encode()


def _digest(page: bytes, element: str) -> str:
    (code,) = re.findall(rb"<%b>(.*?)</%b>" % (element.encode(), element.encode()), page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode()}'"
