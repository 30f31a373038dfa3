"""The command line: one module per command, each with ``add_to`` for its options and ``run``."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

from converge.cli import exit_codes

if TYPE_CHECKING:
    from converge.cli.options import Arguments
    from converge.core.errors import Mistakes
    from converge.secrets.redaction import Redactor


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was typed; returns the exit code."""
    _open_what_is_closed()
    code = _run(argv)
    if error := _flush(sys.stdout):
        if code == exit_codes.OK and not isinstance(error, BrokenPipeError):
            _complain(f"standard output: {error.strerror or error}", code)
        code = code or exit_codes.ERROR
    _flush(sys.stderr)
    return code


def _raised_by_blueprint(mistakes: Mistakes) -> str:
    """The traceback of what the blueprint's own code raised; empty where it raised nothing."""
    import traceback

    from converge.core.errors import Mistakes

    error: BaseException = mistakes
    while isinstance(error, Mistakes) and error.__cause__ is not None:
        error = error.__cause__
    return "" if isinstance(error, Mistakes) else "".join(traceback.format_exception(error, chain=False)).rstrip()


def _flush(stream: TextIO) -> OSError | None:
    """Write what is left. Where that fails, the interpreter must not try it once more when it ends."""
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _run(argv: Sequence[str] | None) -> int:
    """Turn what a person can put right into a sentence and an exit code."""
    from converge.cli.parser import parse
    from converge.core.errors import BlueprintNotFound, ConvergeError, Mistakes, NotRoot, ResourceError
    from converge.host.fs.os_errors import describe_os_error
    from converge.secrets.redaction import Redactor

    arguments = parse(argv)
    arguments.redactor = redactor = Redactor()
    complain = partial(_fail, arguments)
    try:
        with _threads_hiding(redactor):
            return arguments.run(arguments)
    except BlueprintNotFound as error:
        return complain(error, exit_codes.BLUEPRINT_NOT_FOUND)
    except NotRoot as error:
        return complain(error, exit_codes.NOT_ROOT)
    except Mistakes as error:
        return _fail_for_mistakes(arguments, error)
    except (ConvergeError, ResourceError) as error:
        return complain(error, exit_codes.ERROR)
    except KeyboardInterrupt:
        # CPython notes one that passed through an exec of a text, as classes are made by, and would end by the signal
        # after all; the next exec makes it forget.
        exec("")  # noqa: S102
        return complain("interrupted", exit_codes.ERROR)
    except BrokenPipeError:
        # Whoever read our output has gone (converge plan | head), and needs no sentence about it.
        return exit_codes.ERROR
    except OSError as error:
        return complain(describe_os_error(error), exit_codes.ERROR)
    except Exception:  # noqa: BLE001 - a fault of ours is shown whole, but for secrets
        import traceback

        return complain(traceback.format_exc(), exit_codes.ERROR, prefix="")


def _fail(arguments: Arguments, error: object, code: int, prefix: str = "converge: ", **more: object) -> int:
    """Say it on standard error, and where JSON is asked for, as the one object of this command."""
    _complain(error, code, prefix, redactor=arguments.redactor)
    if arguments.out != "json" or arguments.told:
        return code
    from converge.cli.failure import print_failure

    print_failure(arguments.redactor.redact(str(error)), code, **more)
    return code


def _fail_for_mistakes(arguments: Arguments, error: Mistakes) -> int:
    count = len(error.mistakes)
    summary = f"{count} mistake{'s' * (count != 1)} in the blueprint; nothing was touched"
    if arguments.out != "json":
        _complain(summary, exit_codes.ERROR)
        if arguments.verbose and (raised := _raised_by_blueprint(error)):
            _complain(raised, exit_codes.ERROR, prefix="", redactor=arguments.redactor)
        return _fail(arguments, error, exit_codes.ERROR, prefix="")
    from converge.cli.failure import mistakes_as_json

    found = mistakes_as_json(error.mistakes, arguments.redactor)
    return _fail(arguments, summary, exit_codes.ERROR, blueprint=arguments.blueprint, mistakes=found)


@contextlib.contextmanager
def _threads_hiding(redactor: Redactor) -> Iterator[None]:
    """Where a thread of ours ends by a fault, its traceback shows no secrets either."""
    before = threading.excepthook

    def told(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is None:
            before(fault)
            return
        import traceback

        _complain("".join(traceback.format_exception(fault.exc_value)), exit_codes.ERROR, redactor=redactor)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


def _open_what_is_closed() -> None:
    """Where we were started with a standard stream closed (``>&-``), no file that we open may take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it is there to stay


def _complain(error: object, code: int, prefix: str = "converge: ", *, redactor: Redactor | None = None) -> int:
    encoding = sys.stderr.encoding or "utf-8"
    said = str(error) if redactor is None else redactor.redact(str(error))
    text = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in said)
    with contextlib.suppress(OSError):  # then nobody can be told
        print(f"{prefix}{text.encode(encoding, 'backslashreplace').decode(encoding)}", file=sys.stderr)
    return code
