"""A real PostgreSQL for tests: a server on a socket in a folder of its own, and a database for each test."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

PASSWORD = "hush-hush/4711"
QUOTED = "hush-hush%2F4711"
_EMPTIED = """
drop schema if exists marts cascade; drop schema if exists sms_etl cascade;
drop schema if exists public cascade; create schema public;
"""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    folder: Path
    programs: Path
    user: str | None
    """Whom it runs as; None: us."""

    def url(self, database: str) -> str:
        return f"postgresql://etl:{QUOTED}@/{database}?host={self.folder}"

    def control(self, *words: str) -> None:
        """Start or stop it."""
        run_as(self.user, self.programs / "pg_ctl", "-D", self.folder / "data", "-w", "-t", "60", *words)

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off"
        self.control("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        self.control("stop", "-m", "immediate")


@dataclass(frozen=True)
class Database:
    """A database of its own."""

    server: Server
    url: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement, and return what it gives."""
        return asyncio.run(_rows(self.url, sql))


async def _rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        if ";" in sql:
            await connection.execute(sql)
            return []
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def run_as(user: str | None, *command: str | Path) -> None:
    """Run a program as somebody, for PostgreSQL runs as anybody but root."""
    ran = subprocess.run(
        [str(word) for word in command],
        user=user,
        cwd="/",
        stdout=subprocess.DEVNULL,  # a server that goes on would keep a pipe open
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=90,
    )
    assert ran.returncode == 0, command


def _programs() -> Path | None:
    """Return the folder of the newest server's programs; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _other_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server that runs for as long as the tests do; stopped at their end."""
    programs = _programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL here; `make system-packages` installs it on Debian")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user = _other_user()
    server = Server(folder, programs, user)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if user:
        for path in (folder, secret):
            shutil.chown(path, user)
    try:
        run_as(
            user,
            programs / "initdb",
            *("-D", folder / "data", "-U", "etl", "-N", "--auth=scram-sha-256", f"--pwfile={secret}"),
            *("--encoding=UTF8", "--locale=C"),
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres_server: Server) -> Database:
    """An empty database: it is emptied for each test, which is quicker than to make one."""
    found = Database(postgres_server, postgres_server.url("postgres"))
    found.rows(_EMPTIED)
    return found
