"""News of the machine's name. It is changed in a namespace of its own: the kernel tells of all of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from converge.core.trigger import HostnameChanged
from converge.sources.linux.hostname import HostnameSource

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: names a machine, in a namespace of its own")


def rename(name: str) -> None:
    subprocess.run(["unshare", "--uts", "sysctl", "-qw", f"kernel.hostname={name}"], check=True)


def test_each_change_of_the_name_is_told() -> None:
    async def main() -> None:
        marks: list[str] = []
        source = HostnameSource(marks.append, lambda error: pytest.fail(str(error)))

        async def news() -> None:
            async with asyncio.timeout(30):
                while not marks:
                    await asyncio.sleep(0.001)
            marks.clear()

        source.watch("a", [HostnameChanged()])
        for number in range(5):
            rename(f"web{number}")
            await news()
        source.watch("b", [HostnameChanged()])
        source.watch("a", [])
        rename("web")
        async with asyncio.timeout(30):
            while "b" not in marks:
                await asyncio.sleep(0.001)
        assert set(marks) == {"b"}
        source.close()
        source.close()

    asyncio.run(main())


def test_where_the_kernel_gives_no_news_it_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "hostname").write_text("web1")

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for path in (tmp_path / "hostname", tmp_path / "none"):
            with pytest.raises(OSError, match=r"."):
                HostnameSource(lambda key: None, lambda error: None, str(path))
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(main())
