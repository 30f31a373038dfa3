"""News of mounts: of the path itself and of what hides it, from real mounts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.core.trigger import MountsChanged, PathChanged
from converge.sources.linux.mounts import MountNews


def test_a_path_and_what_is_above_it(tmp_path: Path, mounted: Callable[..., None]) -> None:
    async def main() -> None:
        marks: list[str] = []
        source = MountNews(marks.append, lambda error: pytest.fail(str(error)))
        root = os.path.realpath(tmp_path)
        for name in ("a", "a/b", "other", "forgotten"):
            os.mkdir(f"{root}/{name}")
            source.watch(name, [MountsChanged(f"{root}/{name}/"), PathChanged("/")])
        source.watch("forgotten", [])

        async def news(key: str) -> list[str]:
            async with asyncio.timeout(30):
                while key not in marks:
                    await asyncio.sleep(0.001)
            seen = sorted(set(marks))
            marks.clear()
            return seen

        mounted(f"{root}/a/b")
        assert await news("a/b") == ["a/b"]
        mounted(f"{root}/a")
        assert await news("a") == ["a", "a/b"]
        mounted(f"{root}/forgotten")
        mounted(f"{root}/other")
        assert await news("other") == ["other"]
        source.close()
        source.close()

    asyncio.run(main())
