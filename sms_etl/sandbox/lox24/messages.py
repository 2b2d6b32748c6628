"""LOX24's endpoints for messages and the account: list, one, delete, the two batch calls, `GET /me`."""

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.life.lifecycle import NEW, Message, stop_message
from sms_etl.sandbox.life.recipients import GROUPS
from sms_etl.sandbox.life.traffic import SERVICES
from sms_etl.sandbox.lox24.answers import answer, collection, exact_number, one, problem
from sms_etl.sandbox.lox24.filters import SMS, Query, read_query
from sms_etl.sandbox.lox24.row_format import written
from sms_etl.sandbox.storage.state import ACCOUNT_ID, SandboxState

OPENING_BALANCE = 10_000
_NO_SUCH_MESSAGE = "There is no such message."


class MessagesApi:
    """The endpoints, over one sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes; the batch calls come first, as their path looks like that of a message."""
        return [
            Route("/me", self._me, methods=["GET"]),
            Route("/sms", self._list, methods=["GET"]),
            Route("/sms/ops/batch_delete", self._batch(self._delete), methods=["POST"]),
            Route("/sms/ops/batch_cancel", self._batch(self._cancel), methods=["POST"]),
            Route("/sms/{uuid}", self._one, methods=["GET"]),
            Route("/sms/{uuid}", self._delete_one, methods=["DELETE"]),
        ]

    async def _me(self, request: Request) -> Response:
        now, store = self._state.now(), self._state.store
        row = {
            "id": ACCOUNT_ID,
            "currency": self._state.switches.currency,
            "balance_amount": exact_number(OPENING_BALANCE - store.spent(now)),
            "balance_changed_at": store.last_charge_at(now),
            "is_text_deleted": False,
            "services": list(SERVICES),
            "groups": {str(group): f"/groups/{group}" for group in GROUPS},
        }
        return one(request, row, path="/me", kind="Me")

    async def _list(self, request: Request) -> Response:
        state, now = self._state, self._state.now()
        query = read_query(request.url.query, SMS, state.switches)
        page = state.store.message_page(query, now, state.switches)
        rows = [written(message, now, state.switches) for message in page.lives]
        return collection(
            request,
            rows,
            path="/sms",
            kind=state.switches.type_name,
            total=page.total,
            page=query.page,
            last=page.last,
            switches=state.switches,
        )

    def _find(self, request: Request) -> Message | None:
        uuid = request.path_params["uuid"]
        return self._state.store.message(uuid, self._state.now(), self._state.switches)

    async def _one(self, request: Request) -> Response:
        message = self._find(request)
        if not message:
            return problem(404, _NO_SUCH_MESSAGE)
        switches = self._state.switches
        row = written(message, self._state.now(), switches)
        return one(request, row, path=f"/sms/{message.uuid}", kind=switches.type_name)

    async def _delete_one(self, request: Request) -> Response:
        message = self._find(request)
        if not message:
            return problem(404, _NO_SUCH_MESSAGE)
        self._state.store.delete_messages([message], self._state.now())
        return Response(status_code=204)

    def _batch(self, act: Callable[[Sequence[Message]], int]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            state = self._state
            query = read_query(request.url.query, SMS, state.switches, paged=False)
            if not query.filters and state.switches.unfiltered_batch == "reject":
                return problem(422, "Give at least one filter.")
            return answer({"deleted_sms_count": act(self._matching(query))})

        return endpoint

    def _matching(self, query: Query) -> Sequence[Message]:
        if not query.filters and self._state.switches.unfiltered_batch == "nothing":
            return []
        return self._state.store.matching_messages(query, self._state.now(), self._state.switches)

    def _delete(self, messages: Sequence[Message]) -> int:
        count = len(messages)
        self._state.store.delete_messages(messages, self._state.now())
        return count

    def _cancel(self, messages: Sequence[Message]) -> int:
        now = self._state.now()
        unsent = [message for message in messages if message.state_at(now).status_code == NEW]
        self._state.store.put_messages([stop_message(message, now) for message in unsent])
        return len(unsent)
