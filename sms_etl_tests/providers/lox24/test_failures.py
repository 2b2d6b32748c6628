"""Holds what is told of an answer that never came."""

import errno
import os
import socket

import httpx
import pytest

from sms_etl.providers.lox24.failures import unreachable


def said_of(below: BaseException) -> str:
    """Return what is told of a failure that another one hides."""
    error = httpx.ConnectError("All connection attempts failed")
    error.__context__ = below
    message = unreachable(error, "lox24.invalid", {"connect": 10, "read": 60}).message
    return message.removeprefix("lox24.invalid cannot be reached: ")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ECONNREFUSED])
def test_the_systems_words_are_told_where_the_library_has_its_own(number: int) -> None:
    assert said_of(OSError(number, "Connect call failed")) == f"{os.strerror(number)}."


def test_a_name_that_is_not_found_is_told_in_the_words_of_the_look_up() -> None:
    assert said_of(socket.gaierror(-2, "Name or service not known")) == "Name or service not known."


def test_of_several_tries_the_first_is_told() -> None:
    tries = [OSError(errno.ECONNREFUSED, ""), OSError(errno.ENETUNREACH, "")]
    assert said_of(ExceptionGroup("tries", tries)) == f"{os.strerror(errno.ECONNREFUSED)}."


def test_a_failure_without_a_number_is_told_by_its_kind() -> None:
    assert said_of(OSError("neither number nor words")) == "ConnectError."
