"""Makes the best of unusual surroundings, before a command begins."""

import codecs
import getpass
import io
import locale
import os
import sys
from pathlib import Path

_NO_COMPLAINT = "ignore:resource_tracker:UserWarning"


def prepare() -> None:
    """Prepare this process and those that it starts.

    - Python programs that are started do not import packages from the user's folder.
    - Python's tracker of shared resources does not complain of what a killed process has left: it
      removes that.
    - A user without a name and a home, as containers have them, gets what containers give them:
      PyTorch asks for the one, TVM for the other.
    - Files are read and written in UTF-8, whatever the locale; what the terminal cannot show is
      replaced.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    filters = os.environ.get("PYTHONWARNINGS", "").split(",")
    os.environ["PYTHONWARNINGS"] = ",".join(dict.fromkeys(filter(None, (*filters, _NO_COMPLAINT))))
    try:
        getpass.getuser()
    except (KeyError, OSError):  # nothing in the environment, and no such user in the system
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
    encoding = codecs.lookup(locale.getencoding()).name
    if not sys.flags.utf8_mode and encoding not in ("utf-8", "ascii"):
        _begin_again_in_utf8(encoding)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _begin_again_in_utf8(encoding: str) -> None:
    """Start Python anew in its UTF-8 mode, which cannot be entered later; the terminal keeps its
    encoding.
    """
    os.environ.setdefault("PYTHONIOENCODING", encoding)
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
