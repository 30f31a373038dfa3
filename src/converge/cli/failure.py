"""Reports failures as a JSON object on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converge.core.errors import Mistake
    from converge.secrets.redaction import Redactor


def print_failure(error: str, code: int, **more: object) -> None:
    """One object."""
    print(json.dumps({**more, "error": error, "exit_code": code}))


def mistakes_as_json(mistakes: Sequence[Mistake], redactor: Redactor) -> list[dict[str, object]]:
    """What is wrong in a blueprint, and where."""
    return [_mistake_as_json(each, redactor) for each in mistakes]


def _mistake_as_json(mistake: Mistake, redactor: Redactor) -> dict[str, object]:
    id, text = redactor.redact(mistake.id or ""), redactor.redact(mistake.text)
    found = {"file": mistake.where.file, "line": mistake.where.line, "id": id, "text": text}
    return {name: value for name, value in found.items() if value}
