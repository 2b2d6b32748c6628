"""Runs the audit on recorded answers of an index, in the audit's own environment; see test_audit.py."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from requests import ConnectionError as Unreachable
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from sms_etl_tests.audit.__main__ import main


class Recorded(BaseAdapter):
    """Answers as it was recorded, by path; 404 for what was not, and not at all for `null`."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self._answers = answers

    def send(self, request: PreparedRequest, *_arguments: Any, **_options: Any) -> Response:
        """Answer."""
        path = urlsplit(request.url or "").path
        found = self._answers.get(str(path), 404)
        if found is None:
            raise Unreachable("no network")
        answer = Response()
        answer.request, answer.url = request, str(request.url)
        answer.status_code = found if isinstance(found, int) else 200
        answer._content = b"" if isinstance(found, int) else json.dumps(found).encode()
        return answer

    def close(self) -> None:
        """Close nothing."""


if __name__ == "__main__":
    recorded, lock = map(Path, sys.argv[1:])
    sys.exit(main([lock], Recorded(json.loads(recorded.read_text()))))
