"""The webhook over HTTP, as a process: what it answers, what it keeps, and what it tells nobody."""

import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sms_etl_tests.events.conftest import SECRET, Webhook, event, message, running_webhook

PERSONAL = "+491709999999"


def test_an_event_is_answered_with_200_once_it_is_on_the_disk(webhook: Webhook) -> None:
    answer = webhook.post(event("on the disk"))
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    content = b"".join(path.read_bytes() for path in (webhook.data_dir / "events").iterdir())
    assert str(message("on the disk")).encode() in content
    assert PERSONAL.encode() not in content


def test_an_event_of_another_kind_is_acknowledged_so_that_it_is_not_sent_again(webhook: Webhook) -> None:
    answer = webhook.post({"name": "sms.incoming", "data": {}})
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"dlr_code=1", 400, "no JSON"),
        (event(dlr_code=PERSONAL), 422, "`$.data.dlr_code`"),
        (b"[]", 422, "no event"),
        (b"1" * 65_537, 413, "65536 bytes"),
    ],
)
def test_what_is_no_event_is_refused_in_clear_words(
    webhook: Webhook, body: object, status: int, says: str
) -> None:
    answer = webhook.post(body)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert PERSONAL not in answer.text


def test_a_body_without_a_length_is_read_up_to_the_same_bound(webhook: Webhook) -> None:
    def parts(count: int) -> Iterator[bytes]:
        yield from (b" " * 10_000 for _ in range(count))
        yield json.dumps(event("in parts")).encode()

    assert webhook.client.post(webhook.url, content=parts(3)).status_code == 200
    assert webhook.client.post(webhook.url, content=parts(9)).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/lox24/", f"/lox24/{SECRET}/", f"/lox24/{SECRET[:-1]}x", f"/lox24/{SECRET[:-1]}"]
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_without_the_secret_there_is_nothing(webhook: Webhook, path: str, method: str) -> None:
    url = urlsplit(webhook.url)._replace(path=path).geturl()
    assert webhook.client.request(method, url, json=event()).status_code == HTTPStatus.NOT_FOUND


def test_another_method_is_told_which_one(webhook: Webhook) -> None:
    answer = webhook.client.get(webhook.url)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_it_listens_on_this_machine_unless_told_otherwise(webhook: Webhook) -> None:
    assert urlsplit(webhook.url).hostname == "127.0.0.1"


def test_an_answer_names_no_server_and_is_taken_for_nothing_but_json(webhook: Webhook) -> None:
    for answer in (webhook.post(event()), webhook.client.get(webhook.url), webhook.post(b"no event")):
        assert "server" not in answer.headers
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_query_behind_the_secret_changes_nothing(webhook: Webhook) -> None:
    assert webhook.client.post(f"{webhook.url}?source=lox24", json=event()).status_code == 200


def test_it_is_ended_by_sigterm_says_what_it_did_and_never_told_the_secret_or_a_number(
    tmp_path: Path,
) -> None:
    with running_webhook(tmp_path / "data") as webhook:
        command_line = Path(f"/proc/{webhook.process.pid}/cmdline").read_bytes()
        webhook.post(event())
        webhook.post(event(dlr_code=PERSONAL))
        webhook.client.get(f"{webhook.url}x")
        raw_request(webhook, b"GARBAGE / \r\n\r\n")
        printed = webhook.end()
    assert json.loads(printed) == {"stored": 1, "ignored": 0, "refused": {"404": 1, "422": 1}}
    assert webhook.process.returncode == 0
    said = webhook.said.read_text()
    assert "What was acknowledged is kept" in said
    for text in (said, printed, command_line.decode()):
        assert SECRET not in text
        assert PERSONAL not in text
    assert [kept.uuid for kept in webhook.kept] == [message("a")]


def raw_request(webhook: Webhook, request: bytes) -> bytes:
    address = urlsplit(webhook.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(100)


def test_only_allowed_addresses_may_send_as_the_proxy_names_them(tmp_path: Path) -> None:
    allowed = {"webhook_allow": "203.0.113.0/24,2001:db8::/32", "webhook_address_header": "X-Forwarded-For"}
    with running_webhook(tmp_path / "data", **allowed) as webhook:
        for sender, status in (
            ("203.0.113.9", 200),
            ("198.51.100.1, 203.0.113.9", 200),
            ("203.0.113.9, 198.51.100.1", 403),
            ("2001:db8::7", 200),
            ("nobody", 403),
        ):
            assert webhook.post(event(), **{"X-Forwarded-For": sender}).status_code == status, sender
        assert webhook.post(event()).status_code == 403, "the proxy names nobody"


def test_a_header_is_believed_only_where_a_setting_names_it(tmp_path: Path) -> None:
    with running_webhook(tmp_path / "data", webhook_allow="203.0.113.0/24") as webhook:
        assert webhook.post(event(), **{"X-Forwarded-For": "203.0.113.9"}).status_code == 403


def test_what_cannot_be_stored_is_to_be_sent_again_and_is_taken_once_it_can(tmp_path: Path) -> None:
    with running_webhook(tmp_path / "data") as webhook:
        folder = webhook.data_dir / "events"
        folder.rename(tmp_path / "elsewhere")
        answer = webhook.post(event())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        (tmp_path / "elsewhere").rename(folder)
        assert webhook.post(event()).status_code == 200
        webhook.end()
        assert "No such file or directory" in webhook.said.read_text()
    assert len(webhook.kept) == 1
