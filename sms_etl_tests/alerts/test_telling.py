"""Each incident is told once by each way, and again if it comes back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sms_etl.alerts.incident import NOTHING, Incident, Open, Source
from sms_etl.alerts.telling import tell, try_channels
from sms_etl.errors import AlertNotSent, SettingsError
from sms_etl.files import mode_of
from sms_etl.settings import Settings, load_settings
from sms_etl_tests.alerts.servers import Hook, MailServer, hook_listening, mail_server_listening
from sms_etl_tests.disks import mounted_disk

FAILED = Incident(Source.DAGSTER, "run/a", "The job a failed", "It says why.", "sms-etl ui", is_alarm=True)
OLD = Incident(Source.DAGSTER, "run/b", "The job b failed", "It says why.", "sms-etl ui")


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_listening() as listening:
        yield listening


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server_listening() as listening:
        yield listening


@pytest.fixture
def by_hook(hook: Hook, tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", alert_webhook=hook.url)


@pytest.fixture
def by_both(hook: Hook, mail: MailServer, tmp_path: Path) -> Settings:
    values: dict[str, Any] = {"alert_smtp": mail.address, "alert_to": "ops@example.com,cfo@example.com"}
    return load_settings(data_dir=tmp_path / "data", alert_webhook=hook.url, **values)


def wrong(*incidents: Incident) -> Open:
    return Open(incidents, frozenset({Source.DAGSTER}))


def titles(hook: Hook) -> list[str]:
    return [post["alert"]["title"] for post in hook.posts]


def test_an_incident_is_told_once_however_often_it_is_seen(by_hook: Settings, hook: Hook) -> None:
    assert [tell(by_hook, wrong(FAILED)).told for _ in range(3)] == [1, 0, 0]
    assert titles(hook) == ["The job a failed"]


def test_one_that_is_over_is_told_again_when_it_comes_back(by_hook: Settings, hook: Hook) -> None:
    for now in (wrong(FAILED), wrong(OLD), wrong(FAILED, OLD)):
        tell(by_hook, now)
    assert titles(hook) == ["The job a failed", "The job b failed", "The job a failed"]


def test_what_could_not_be_looked_at_is_not_taken_for_over(by_hook: Settings, hook: Hook) -> None:
    for now in (wrong(FAILED), NOTHING, wrong(FAILED)):
        tell(by_hook, now)
    assert titles(hook) == ["The job a failed"]


def test_a_post_says_what_where_and_what_to_do_next(by_hook: Settings, hook: Hook) -> None:
    tell(by_hook, wrong(FAILED))
    ((post,)) = hook.posts
    assert post["text"].splitlines() == [
        "ALARM: The job a failed",
        "It says why.",
        f"Where: {post['where']}",
        "Next: sms-etl ui",
    ]
    assert post["where"].endswith(str(by_hook.data_dir))
    assert post["alert"] == FAILED.as_json()


def test_a_mail_goes_to_all_and_says_the_same(by_both: Settings, mail: MailServer) -> None:
    tell(by_both, wrong(FAILED))
    (read,) = mail.mails
    assert read["Subject"] == "sms_etl: The job a failed"
    assert read["From"] == "ops@example.com"
    assert mail.recipients == ["ops@example.com", "cfo@example.com"]
    assert "Next: sms-etl ui" in read.get_content()


def test_a_title_with_a_line_break_adds_no_header_to_a_mail(by_both: Settings, mail: MailServer) -> None:
    tell(by_both, wrong(Incident(Source.DAGSTER, "x", "A\r\nBcc: thief@example.com", "", "sms-etl ui")))
    (read,) = mail.mails
    assert read["Bcc"] is None
    assert len(mail.recipients) == 2


def test_a_title_that_a_chat_would_obey_is_shown_to_it_as_it_is(by_hook: Settings, hook: Hook) -> None:
    title = "A new field, <!channel> & <https://evil.example|more>"
    tell(by_hook, wrong(Incident(Source.DAGSTER, "x", title, "", "sms-etl status")))
    ((post,)) = hook.posts
    shown = "Attention: A new field, &lt;!channel&gt; &amp; &lt;https://evil.example|more&gt;"
    assert post["text"].splitlines()[0] == shown
    assert post["alert"]["title"] == title


@pytest.mark.parametrize("status", [500, 302, 404])
def test_a_way_that_fails_is_tried_again_and_keeps_the_other_from_nothing(
    by_both: Settings, hook: Hook, mail: MailServer, status: int
) -> None:
    hook.status = status
    first = tell(by_both, wrong(FAILED))
    assert first.errors == (f"An alert was not sent by SMS_ETL_ALERT_WEBHOOK: it answered {status}.",)
    hook.status = 200
    assert tell(by_both, wrong(FAILED)).errors == ()
    assert (titles(hook), len(mail.mails)) == (["The job a failed"], 1)


def test_an_error_names_no_address_and_no_password(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "data",
        alert_webhook="http://127.0.0.1:9/secret-word",
        alert_smtp="smtp://user:secret-word@127.0.0.1:9",
        alert_to="ops@example.com",
    )
    result = tell(settings, wrong(FAILED))
    assert len(result.errors) == 2
    assert not any("secret-word" in error or "127.0.0.1" in error for error in result.errors)


def test_what_was_told_is_kept_for_its_owner_alone(by_hook: Settings) -> None:
    tell(by_hook, wrong(FAILED))
    assert mode_of(by_hook.data_dir / "alerts.json") == 0o600


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"dagster/run/a": 1}'])
def test_a_damaged_file_of_what_was_told_is_written_anew(by_hook: Settings, hook: Hook, content: str) -> None:
    by_hook.data_dir.mkdir()
    (by_hook.data_dir / "alerts.json").write_text(content)
    for _ in range(2):
        tell(by_hook, wrong(FAILED))
    assert titles(hook) == ["The job a failed"]


def test_while_the_disk_is_full_an_incident_is_told_once_too(hook: Hook, tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", megabytes=1) as disk:
        settings = load_settings(data_dir=disk.path / "data", alert_webhook=hook.url)
        tell(settings, NOTHING)
        disk.fill()
        assert [tell(settings, wrong(FAILED)).told for _ in range(3)] == [1, 0, 0]
        assert [tell(settings, wrong()).told, tell(settings, wrong(FAILED)).told] == [0, 1]
        disk.free()
        assert tell(settings, wrong(FAILED)).told == 0


def test_a_trial_goes_by_each_way_and_is_not_kept(by_both: Settings, hook: Hook, mail: MailServer) -> None:
    assert [way.name for way in try_channels(by_both)] == ["webhook", "mail"]
    assert (titles(hook), len(mail.mails)) == (["This is a trial"], 1)
    assert not (by_both.data_dir / "alerts.json").exists()


def test_a_trial_that_is_not_taken_says_so(by_hook: Settings, hook: Hook) -> None:
    hook.status = 403
    with pytest.raises(AlertNotSent, match="it answered 403"):
        try_channels(by_hook)


def test_a_trial_without_any_way_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither SMS_ETL_ALERT_WEBHOOK nor SMS_ETL_ALERT_SMTP"):
        try_channels(load_settings(data_dir=tmp_path / "data"))
