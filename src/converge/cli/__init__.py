"""The command line: one file a command, each with ``add_to`` for its options and ``run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from converge import exit_codes


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and turn what a person can put right into a sentence and an exit code."""
    from converge.cli.options import parse
    from converge.errors import BlueprintNotFound, ConvergeError, Mistakes, NotRoot
    from converge.resources.base import ResourceError

    arguments = parse(argv)
    try:
        return arguments.run(arguments)
    except BlueprintNotFound as error:
        return _complain(error, exit_codes.BLUEPRINT_NOT_FOUND)
    except NotRoot as error:
        return _complain(error, exit_codes.NOT_ROOT)
    except Mistakes as error:
        count = len(error.mistakes)
        print(f"converge: {count} mistake{'s' * (count != 1)} in the blueprint; nothing was touched", file=sys.stderr)
        return _complain(error, exit_codes.ERROR, prefix="")
    except (ConvergeError, ResourceError) as error:
        return _complain(error, exit_codes.ERROR)
    except KeyboardInterrupt:
        return _complain("interrupted", exit_codes.ERROR)
    except BrokenPipeError:
        # Whoever read our output has gone (converge plan | head); that is no error, and nothing can be told any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.ERROR
    except OSError as error:
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return _complain(f"{place}{error.strerror or error}", exit_codes.ERROR)


def _complain(error: object, code: int, prefix: str = "converge: ") -> int:
    encoding = sys.stderr.encoding or "utf-8"
    text = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in str(error))
    print(f"{prefix}{text.encode(encoding, 'backslashreplace').decode(encoding)}", file=sys.stderr)
    return code
