"""What a file is that holds what a site said, and not what was to be downloaded."""

import codecs
import json
import re

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_LFS = b"version https://git-lfs"
_MARK, _SPACE = b"\xef\xbb\xbf", b" \t\r\n"
_CODE = re.compile(rb"<Code>([^<]*)</Code>", re.IGNORECASE)  # of S3, Google Cloud and Azure
_SAID = re.compile(rb"<Message>([^<]*)</Message>", re.IGNORECASE)
_KEYS = ("error", "message", "detail", "errors", "error_description", "msg")  # of JSON
_LONGEST = 80
_AGAIN = "the address may need a login, or have expired: download the file itself"
_HEAD = 4096


def what_is_said(content: bytes) -> str:
    """Return what a file is, if it is a page, an error in XML or JSON, a Git LFS pointer, or text.

    A phrase behind `is`, with what to do; empty for anything else.
    """
    head = content[:_HEAD].removeprefix(_MARK).lstrip(_SPACE)
    if head.startswith(_LFS):
        return "a Git LFS pointer, not the file that it stands for; run `git lfs pull`"
    lower = head.lower()
    if lower.startswith(_HTML):
        return "an HTML page; the site answered with a page: download the file itself"
    if head.startswith(b"<"):
        return _of_xml(head)
    if head.startswith((b"{", b"[")):
        return _of_json(content.removeprefix(_MARK))
    return _of_text(head)


def _of_text(content: bytes) -> str:
    head = content[:_HEAD]
    line = next(iter(head.splitlines()), b"").decode(errors="replace")
    return f"a text file ({_shown(line)!r})" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:  # it may end inside a character
        said = codecs.getincrementaldecoder("utf-8")().decode(head[:512])
    except UnicodeDecodeError:
        return False
    return bool(said.strip()) and all(one >= " " or one in "\t\n\r\f" for one in said)


def _of_xml(head: bytes) -> str:
    if b"<html" in head.lower():  # XHTML
        return "an HTML page; the site answered with a page: download the file itself"
    code = _CODE.search(head)
    if code is None:
        return "an XML document" if _is_text(head) else ""
    said = [one[1].decode(errors="replace") for one in (code, _SAID.search(head)) if one]
    return f"a storage's error message ({_shown(': '.join(said))}); {_AGAIN}"


def _of_json(content: bytes) -> str:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return _of_text(content)
    keys = [key for key in _KEYS if isinstance(found, dict) and key in found]
    if not keys:
        return "a JSON document"
    said = found[keys[0]]
    if isinstance(said, dict):  # as Google's services nest it
        said = said.get("message", said)
    return f"an error message in JSON ({_shown(str(said))}); {_AGAIN}"


def _shown(said: str) -> str:
    """Return the beginning of what is said, as one line of printable characters."""
    line = " ".join("".join(one if one.isprintable() else " " for one in said).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
