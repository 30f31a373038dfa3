"""Evaluates a changed blueprint in a separate process first: one that hangs or crashes cannot take the daemon down.

What comes out of it is only whether it can be loaded, and why not. Resources may hold anything that a blueprint makes,
so the daemon evaluates it once more itself, on a thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from converge.core.errors import ConvergeError
from converge.host import process

if TYPE_CHECKING:
    from converge.blueprints.load import Given

_LENGTH = 8
"""Bytes that say how long the order is. What comes after it is the end of the daemon."""


class Order(NamedTuple):
    """What to evaluate, and with what. Goes to the process by a pipe, since a key may be in it."""

    wanted: str
    resource_timeout: float
    given: Given


class Rehearsal:
    """One evaluation. May be cancelled from another thread, at any time."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._child: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Wait for its end. Raises ConvergeError where the blueprint is broken, OSError where there is no process."""
        given = replace(self._order.given, redactor=None)
        text = pickle.dumps(self._order._replace(given=given))
        with self._lock:
            if self._cancelled:
                return
            child = self._child = subprocess.Popen(
                [sys.executable, *_flags(), "-m", "converge.engine.rehearsal"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        assert child.stdin is not None  # noqa: S101 - for the type checker
        assert child.stdout is not None  # noqa: S101
        with child, child.stdin as to_child:
            with contextlib.suppress(BrokenPipeError):  # it has ended already, and how is what counts
                to_child.write(len(text).to_bytes(_LENGTH, "big") + text)
                to_child.flush()
            answer = child.stdout.read()
            child.wait()
        _judge(answer, child.returncode)

    def cancel(self) -> None:
        """End it, with whatever it started."""
        with self._lock:
            self._cancelled = True
            if self._child is not None and self._child.poll() is None:
                process.end(self._child)


def _flags() -> list[str]:
    """It imports from nowhere that we would not import from, and never from the current folder."""
    wanted = {"-I": sys.flags.isolated, "-P": True, "-E": sys.flags.ignore_environment, "-s": sys.flags.no_user_site}
    return [flag for flag, given in wanted.items() if given]


def _judge(answer: bytes, returncode: int) -> None:
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        ended = process.Result(returncode, "").ending()
        raise ConvergeError(f"its evaluation ended the process that did it ({ended})") from None
    if found:
        error = ConvergeError(found["error"])
        error.files = frozenset(found["files"])
        raise error


def _evaluate(order: Order) -> dict[str, object]:
    from converge.blueprints.load import load
    from converge.secrets.redaction import Redactor

    redactor = Redactor()
    given = replace(order.given, redactor=redactor)
    try:
        load(order.wanted, resource_timeout=order.resource_timeout, given=given)
    except ConvergeError as error:
        return {"error": redactor.redact(str(error)), "files": sorted(error.files)}
    except BaseException as error:  # noqa: BLE001 - whatever it raises
        return {"error": redactor.redact(f"{type(error).__name__}: {error}"), "files": []}
    return {}


def _end_with_the_daemon() -> None:
    sys.stdin.buffer.read(1)
    os._exit(1)


def main() -> None:
    """In the process."""
    # Printing is left to the evaluation in the daemon; here it would only get into the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    length = int.from_bytes(sys.stdin.buffer.read(_LENGTH), "big")
    order: Order = pickle.loads(sys.stdin.buffer.read(length))  # noqa: S301 - from the daemon, by a pipe
    with contextlib.suppress(RuntimeError):  # no thread: then it may outlive the daemon
        threading.Thread(target=_end_with_the_daemon, daemon=True).start()
    answer.write(json.dumps(_evaluate(order)))
    answer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
