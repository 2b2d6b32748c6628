"""A page server of a few thousand messages, in the test's own event loop."""

from collections.abc import AsyncIterator

import httpx
import pytest

from benchmarks.page_server import PageServer, serve
from benchmarks.traffic import encoded_rows

FIRST, VISIBLE, LATER = 20_000, 400, 100


@pytest.fixture
def pages() -> PageServer:
    return PageServer(encoded_rows(FIRST, VISIBLE + LATER), VISIBLE, page_size=30)


@pytest.fixture
async def client(pages: PageServer) -> AsyncIterator[httpx.AsyncClient]:
    listening = await serve(pages)
    port = listening.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    listening.close()
    await listening.wait_closed()
