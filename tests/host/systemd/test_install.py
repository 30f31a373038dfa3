"""Whether a unit is enabled, where systemd's word for its file leaves that open."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.host.systemd import install


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    units, lib = tmp_path / "systemd", tmp_path / "lib"
    for folder in (units, lib, tmp_path / "init.d", tmp_path / "rc5.d"):
        folder.mkdir()
    monkeypatch.setattr(install, "FOLDERS", (str(units), str(lib)))
    monkeypatch.setattr(install, "_SCRIPTS", str(tmp_path / "init.d"))
    monkeypatch.setattr(install, "_RUN_LEVELS", (str(tmp_path / "rcS.d"), str(tmp_path / "rc5.d")))
    return tmp_path


@pytest.mark.parametrize(
    ("section", "state"),
    [
        ("[Install]\nWantedBy=multi-user.target\n", "disabled"),
        ("[Install]\nAlias=other.service\n", "disabled"),
        ("[Install]\nAlso=other.service\n", "indirect"),
        ("[Install]\nWantedBy=\n", "indirect"),
        ("WantedBy=multi-user.target\n", "indirect"),
    ],
)
def test_indirect_is_also_what_has_an_alias_that_its_file_does_not_name(etc: Path, section: str, state: str) -> None:
    (etc / "lib/web.service").write_text(f"[Service]\nExecStart=/bin/true\n{section}")
    assert install.file_state_of("web.service", "indirect") == state
    wants = etc / "systemd/multi-user.target.wants"
    wants.mkdir()
    (wants / "web.service").symlink_to(etc / "lib/web.service")
    assert install.file_state_of("web.service", "indirect") == "enabled"


def test_a_script_of_system_v_is_enabled_by_its_links(etc: Path) -> None:
    assert install.file_state_of("old.service", "generated") == "generated"
    (etc / "init.d/old").write_text("#!/bin/sh\n")
    assert install.file_state_of("old.service", "generated") == "disabled"
    assert install.sysv_links("old.service") == (str(etc / "rc5.d"),)
    (etc / "rc5.d/K01old").symlink_to("../init.d/old")
    assert install.file_state_of("old.service", "generated") == "disabled"
    (etc / "rc5.d/S01old").symlink_to("../init.d/old")
    assert install.file_state_of("old.service", "generated") == "enabled"
    (etc / "lib/old.service").write_text("[Service]\n")  # which goes before the script
    assert not install.is_sysv("old.service")
    assert install.sysv_links("old.service") == ()
