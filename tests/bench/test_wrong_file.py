"""What a site said in the place of a file."""

import numpy as np
import pytest

from mobilebench.bench.wrong_file import what_is_said


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><p>Sign in", "an HTML page; "),
        (b"<?xml version='1.0'?><html xmlns='x'>", "an HTML page; "),
        (b"<?xml version='1.0'?><net>", "an XML document"),
        (
            b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The\ntoken</Message>",
            "a storage's error message (ExpiredToken: The token); the address may need a login",
        ),
        (
            b'{"error": {"code": 403, "message": "Forbidden"}}',
            "an error message in JSON (Forb",
        ),
        (b'[{"a": 1}]', "a JSON document"),
        (b'{"a": ', "a text file ('{\"a\":')"),
        (b"[" * 99999, "a text file ("),
        (b"Not Found\n", "a text file ('Not Found')"),
        (b"x" * 500, f"a text file ('{'x' * 77}...')"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, "),
    ],
)
def test_pages_messages_and_texts_are_told(content: bytes, what: str) -> None:
    said = what_is_said(content)
    assert said.startswith(what)
    assert "\n" not in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"\x08\x0a",
        b"\x89PNG\r\n",
        b"\xff\xd8",
        b"<\0\0\0",
        np.arange(999).tobytes(),
        b"{\0\1",
    ],
)
def test_of_what_is_none_of_these_nothing_is_said(content: bytes) -> None:
    assert what_is_said(content) == ""
