"""Dagster's webserver as `sms-etl ui` runs it: `SameOrigin` stands before its pages, GraphQL and WebSockets.

The middleware is part of the server's own application, so there is no port that leads around it.
"""

from functools import partial
from typing import Any

import dagster_webserver.app
import uvicorn
from dagster._core.workspace.context import BaseWorkspaceRequestContext, IWorkspaceProcessContext
from dagster_webserver.cli import main
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from sms_etl.web.same_origin import SameOrigin

_GRAPHQL = "/graphql"


class GuardedWebserver(DagsterWebserver[IWorkspaceProcessContext[Any], BaseWorkspaceRequestContext]):
    """Dagster's webserver, for this machine's own pages and programs only."""

    def build_middleware(self) -> list[Middleware]:
        """Return Dagster's own middleware, behind the guard."""
        return [Middleware(SameOrigin, only_by_post={_GRAPHQL}), *super().build_middleware()]


if __name__ == "__main__":
    dagster_webserver.app.DagsterWebserver = GuardedWebserver  # type: ignore[attr-defined, assignment] # what the command makes
    uvicorn.run = partial(uvicorn.run, server_header=False)  # nobody need know what serves
    main()  # type: ignore[no-untyped-call]  # Dagster leaves it without annotations
