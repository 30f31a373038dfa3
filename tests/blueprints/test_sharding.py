"""Shards: the numbers a machine had under the reference, placeholders, and an even spread."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from converge.blueprints import sharding
from converge.blueprints.load import Given, check
from converge.blueprints.run import Run
from converge.blueprints.sharding import in_shard_with_serial, shard_bucket
from converge.host import serial as serial_module
from converge.host import smbios
from converge.host.process import Result


def test_the_bucket_is_made_of_the_first_seven_characters_as_documented() -> None:
    digest = hashlib.sha256(b"ABC1234").digest()
    assert shard_bucket("ABC1234") == int.from_bytes(digest[:8], "big") % 100
    assert shard_bucket("  ABC1234-and-more \n") == shard_bucket("ABC1234")


@pytest.mark.parametrize(
    "serial",
    ["", " ", "0", "None", "NONE", "Not Specified", "To Be Filled By O.E.M.", "Default string", "System Serial Number",
     "chassis serial number"],
)  # fmt: skip
def test_a_placeholder_is_in_no_shard_but_the_whole(serial: str) -> None:
    assert not in_shard_with_serial(99, serial)
    assert in_shard_with_serial(100, serial)


@given(st.text(min_size=7, alphabet=st.characters(min_codepoint=65, max_codepoint=90)))
def test_who_is_in_a_shard_stays_in_it_as_it_grows(serial: str) -> None:
    inside = [in_shard_with_serial(percent, serial) for percent in range(101)]
    assert inside == sorted(inside)
    assert not inside[0]
    assert inside[100]
    assert sum(not each for each in inside) == shard_bucket(serial) + 1


def test_a_fleet_is_spread_evenly() -> None:
    counts = [0] * 100
    for number in range(100_000):
        counts[shard_bucket(f"{number:07d}")] += 1
    assert min(counts) > 800
    assert max(counts) < 1200


@pytest.mark.parametrize("percent", [-1, 101, True, 10.5, "10"])
def test_a_percentage_out_of_range_is_refused(percent: object) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        in_shard_with_serial(percent, "ABC1234")  # type: ignore[arg-type]  # what an owner may write


# --- with names and revisions -----------------------------------------------------------------------------

FLEET = [f"{number:07d}" for number in range(100_000)]
CRITICAL = 160.0
"""Chi-square with 99 degrees of freedom: a fair spread is above this in about one fleet of 10,000."""


@pytest.mark.parametrize(
    ("of", "revision", "bucket"),
    [("", "", 46), ("new-agent", "", 37), ("", 2, 24), ("", "2", 24),
     ("new-agent", "2", 38), ("Ünïcode", "", 16)],
)  # fmt: skip
def test_a_machine_keeps_its_buckets_for_ever(of: str, revision: str | int, bucket: int) -> None:
    assert shard_bucket(" ABC1234XYZ\n", of=of, revision=revision) == bucket


@pytest.mark.parametrize(("of", "revision"), [("", ""), ("new-agent", ""), ("new-agent", 7), ("", "2026-11")])
def test_every_kind_of_shard_spreads_a_fleet_evenly(of: str, revision: str | int) -> None:
    counts = Counter(shard_bucket(serial, of=of, revision=revision) for serial in FLEET)
    expected = len(FLEET) / 100
    assert sum((counts[bucket] - expected) ** 2 / expected for bucket in range(100)) < CRITICAL


@pytest.mark.parametrize(
    ("one", "other"),
    [({}, {"of": "a"}), ({"of": "a"}, {"of": "b"}), ({"of": "a"}, {"of": "a", "revision": 1}),
     ({"of": "a", "revision": 1}, {"of": "a", "revision": 2}), ({"of": "a"}, {"revision": "a"})],
)  # fmt: skip
def test_who_comes_first_in_one_shard_says_nothing_about_another(
    one: dict[str, str | int], other: dict[str, str | int]
) -> None:
    both = sum(
        in_shard_with_serial(10, serial, **one) and in_shard_with_serial(10, serial, **other)  # type: ignore[arg-type]
        for serial in FLEET
    )
    assert 900 < both < 1100  # 1,000 of 100,000, give or take more than three standard deviations


def test_serials_that_only_differ_at_their_end_are_told_apart_by_named_shards() -> None:
    serials = [f"VMware-56 4d {number:08x}" for number in range(1000)]
    assert len({shard_bucket(serial) for serial in serials}) == 1  # as the Go tool has it
    assert len({shard_bucket(serial, of="a") for serial in serials}) == 100


@given(st.text(min_size=1), st.text(), st.one_of(st.text(), st.integers()))
def test_a_named_shard_grows_and_never_shrinks(serial: str, of: str, revision: str | int) -> None:
    assume(of.isprintable() and str(revision).isprintable())
    inside = [in_shard_with_serial(percent, serial, of=of, revision=revision) for percent in range(101)]
    assert inside == sorted(inside)
    assert not inside[0]
    assert inside[100]


@pytest.mark.parametrize("serial", ["", "None", "Default string"])
def test_without_a_usable_serial_a_machine_is_in_no_named_shard_either(serial: str) -> None:
    assert not in_shard_with_serial(99, serial, of="new-agent")
    assert in_shard_with_serial(100, serial, of="new-agent")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"of": "a\nb"}, "of= is the name"), ({"of": 3}, "of= is the name"), ({"revision": True}, "revision= is"),
     ({"revision": 1.5}, "revision= is"), ({"revision": "1\n"}, "revision= is")],
)  # fmt: skip
def test_what_is_no_name_and_no_revision_is_a_mistake_with_its_line(wrong: dict[str, object], said: str) -> None:
    run = Run()
    here = sys._getframe().f_lineno + 1
    assert not run.in_shard(10, **wrong)  # type: ignore[arg-type]  # what an owner may write
    assert not run.in_shard_with_serial(10, "ABC1234", **wrong)  # type: ignore[arg-type]
    first, second = run._mistakes
    assert said in first.text
    assert (first.where.line, second.where.line) == (here, here + 1)
    assert first.where.file == __file__


def test_the_methods_of_run_answer_as_the_functions_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_module, "hardware_serial", lambda: "ABC1234XYZ")
    run = Run()
    bucket = shard_bucket("ABC1234XYZ", of="new-agent", revision=2)
    assert run.in_shard(bucket + 1, of="new-agent", revision=2)
    assert not run.in_shard(bucket, of="new-agent", revision=2)
    assert run.in_shard_with_serial(bucket + 1, "ABC1234XYZ", of="new-agent", revision=2)
    assert not run._mistakes


IOREG = """+-o J314sAP  <class IOPlatformExpertDevice, id 0x100000227, registered, matched, active, busy 0>
    {
      "manufacturer" = <"Apple Inc.">
      "IOPlatformUUID" = "6FA6D1F3-2A1C-5B7E-9C0D-0123456789AB"
      "IOPlatformSerialNumber" = "C02XXXXXXXXX"
    }
"""


def test_the_serial_of_a_mac_is_its_hardware_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converge.host.serial.this_os", lambda: "darwin")
    monkeypatch.setattr("converge.host.process.run", lambda argv, timeout: Result(0, IOREG))
    assert serial_module.hardware_serial() == "6FA6D1F3-2A1C-5B7E-9C0D-0123456789AB"
    monkeypatch.setattr("converge.host.process.run", lambda argv, timeout: Result(1, "ioreg: error"))
    assert serial_module.hardware_serial() == ""


def test_the_serial_that_the_go_tool_goes_by_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_module, "hardware_serial", lambda: "ABC1234XYZ")
    assert serial_module.reference_serial() == "ABC1234XYZ"
    monkeypatch.setattr("converge.host.serial.this_os", lambda: "darwin")
    asked: list[list[str]] = []

    def run(argv: list[str], timeout: float) -> Result:
        asked.append(argv)
        return Result(0, "6FA6D1F3-2A1C-5B7E-9C0D-0123456789AB\n")

    monkeypatch.setattr("converge.host.process.run", run)
    assert serial_module.reference_serial() == "6FA6D1F3-2A1C-5B7E-9C0D-0123456789AB"
    assert asked == [["/usr/sbin/sysctl", "-n", "kern.uuid"]]


# --- where the first 7 characters say nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("serial", "prefix"),
    [("VMware-56 4d 1a", "VMware-"), (" GoogleCloud-1A2B", "GoogleC"), ("VMX1234567", "VMX1234"),
     ("0000-0013-8569-1432", "0000-00"), ("VirtualBox-4a5b", "Virtual"), ("Parallels-6A 1B", "Paralle"),
     ("ABC1234", ""), ("C02XXXXXXXXX", ""), ("", "")],
)  # fmt: skip
def test_a_vendors_prefix_is_known(serial: str, prefix: str) -> None:
    assert sharding.vendors_prefix(serial) == prefix


def test_a_plain_shard_of_a_virtual_machine_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_module, "hardware_serial", lambda: "VMware-56 4d 1a")
    run = Run()
    for _ in range(3):
        run.in_shard(10)
    run.in_shard(10, of="agent")
    run.in_shard(10, revision=2)
    run.in_shard(100)
    (warning,) = run._warnings
    assert "'VMware-' alone" in warning
    assert 'in_shard(10, of="new-agent")' in warning
    assert warning.startswith(__file__)


def test_check_warns_of_a_plain_shard_wherever_it_runs(tmp_path: Path) -> None:
    site = tmp_path / "site.py"
    site.write_text(
        'from converge import Run, blueprint\n@blueprint("s")\ndef s(r: Run) -> None:\n'
        '    r.in_shard(10)\n    r.in_shard(10, of="a")\n'
    )
    (warning,) = check(str(site), Given()).graph.warnings
    assert warning.startswith(f"{site}:4: in_shard(10) goes by the first 7 characters of the serial")


# --- Windows --------------------------------------------------------------------------------------------------


def structure(kind: int, body: bytes, *texts: str) -> bytes:
    """One structure of SMBIOS: its header, what is in it, and the texts that it names by number."""
    return (
        bytes([kind, 4 + len(body), 0, 0]) + body + (b"".join(text.encode() + b"\0" for text in texts) or b"\0") + b"\0"
    )


BIOS = structure(0, bytes(20), "Vendor", "1.2")
END = structure(127, b"")
WINDOWS_HEADER = bytes(8)


def test_the_serial_of_a_windows_machine_is_in_its_firmware() -> None:
    system = structure(1, bytes([1, 2, 3, 4, *range(16)]), "Maker", "Model", "Version", " ABC1234XYZ ")
    assert smbios.system_serial(WINDOWS_HEADER + BIOS + system + END) == "ABC1234XYZ"
    nameless = structure(1, bytes([1, 2, 3, 0, *range(16)]), "Maker", "Model", "Version")
    assert smbios.system_serial(WINDOWS_HEADER + BIOS + nameless + END) == ""
    assert smbios.system_serial(WINDOWS_HEADER + BIOS + END) == ""


@given(st.binary(max_size=80))
def test_broken_tables_of_the_firmware_are_no_serial_and_no_error(raw: bytes) -> None:
    assert isinstance(smbios.system_serial(WINDOWS_HEADER + raw), str)
