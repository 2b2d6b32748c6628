"""The sandbox as an ASGI application: `create_app(state)`. Importing it starts nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from sms_etl.sandbox.control.api import ControlApi
from sms_etl.sandbox.control.guard import GuardMiddleware
from sms_etl.sandbox.lox24.answers import problem
from sms_etl.sandbox.lox24.bulks import BulksApi
from sms_etl.sandbox.lox24.filters import ParameterError
from sms_etl.sandbox.lox24.messages import MessagesApi
from sms_etl.sandbox.storage.state import SandboxState
from sms_etl.sandbox.twosms.api import TwoSmsApi

_LOOKS_FOR_EVENTS_EVERY_S = 1


def create_app(state: SandboxState) -> Starlette:
    """Make the application.

    Args:
        state: What it serves; kept and closed when the application stops.
    """
    bulks = BulksApi(state)
    control = ControlApi(state, bulks)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sender = asyncio.create_task(_send_events(control)) if state.clock.is_live else None
        yield
        if sender:
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender
        state.close()

    return Starlette(
        routes=[
            *MessagesApi(state).routes(),
            *bulks.routes(),
            *TwoSmsApi(state).routes(),
            *control.routes(),
        ],
        middleware=[Middleware(GuardMiddleware, state=state)],
        exception_handlers={HTTPException: _http_error, ParameterError: _wrong_parameter},
        lifespan=lifespan,
    )


async def _send_events(control: ControlApi) -> None:
    while True:
        await control.deliver_webhooks()
        await asyncio.sleep(_LOOKS_FOR_EVENTS_EVERY_S)


async def _http_error(_request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    return problem(status, "There is nothing here." if status == 404 else "This cannot be done here.")


async def _wrong_parameter(_request: Request, exc: Exception) -> Response:
    violations = {exc.name: exc.problem} if isinstance(exc, ParameterError) else None
    return problem(400, str(exc), violations=violations)
