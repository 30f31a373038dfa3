"""The blueprints that come with converge, for pretended machines; what they are made of, on real files."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.blueprints.load import Given, load
from converge.blueprints.registry import BlueprintFunction, registry
from converge.blueprints.run import Run
from converge.core.errors import ConvergeError
from converge.core.platform import DISTROS, pretended_platform
from converge.core.trigger import PathChanged
from converge.resources.exec import Exec
from converge.shipped import administrators, common
from converge.shipped.cis import linux
from converge.shipped.cis.linux import declare as declare_cis
from converge.shipped.cis.linux import rules
from converge.shipped.cis.linux.tables import SECTIONS, Options, Rule
from converge.shipped.cis.selection import chosen
from converge.shipped.container import SysctlWritable, may_filter_packets, may_mount
from converge.testing import declare
from converge.testing.simulator import Simulator

HEAD = "from converge import Run, blueprint\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDErvSQHOWNvFz8nHQp5Ra3lGSyQmW8Ohm7WzTh5YGMq"


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """Other tests' blueprints may be called like ours."""
    before = registry.snapshot()
    yield
    registry.restore(before)


@pytest.mark.parametrize("distro", sorted(DISTROS))
@pytest.mark.parametrize("name", ["baseline", "linux", "linux_server"])
def test_it_can_be_declared_on_every_linux(name: str, distro: str) -> None:
    site = declare(name, distro=distro)
    assert site.mistakes == ()
    assert len(site.resources) > 10
    assert not site.warnings
    assert site.has("service:systemd-timesyncd") == (name != "baseline" and site.platform.init_system == "systemd")


def test_a_mac_and_a_windows_machine_have_blueprints_of_their_own() -> None:
    mac = declare("darwin", platform="darwin")
    assert mac.mistakes == ()
    assert mac.has("plist:com.apple.SoftwareUpdate:CriticalUpdateInstall")
    assert mac.has("service:com.apple.tftpd")
    without = declare("darwin", platform="darwin", automatic_updates=False, firewall=False, old_services=True)
    assert set(without.ids) < set(mac.ids)
    more = declare("darwin", platform="darwin", packages=["jq"], brew_user="ada", motd="Ours")
    assert set(more.ids) - set(mac.ids) == {"exec:brew install jq", "file:/etc/motd"}
    assert not any("SoftwareUpdate" in id or id.startswith(("exec:", "service:")) for id in without.ids)

    windows = declare("windows", platform="windows")
    assert windows.mistakes == ()
    assert windows.has(r"registry:HKLM\SYSTEM\CurrentControlSet\Control\Lsa\NoLMHash")
    assert not any("WindowsFirewall" in id for id in windows.ids), "it could shut an administrator out"
    assert len([id for id in declare("windows", platform="windows", firewall=True).ids if "WindowsFirewall" in id]) == 3
    assert not any("WindowsUpdate" in id for id in declare("windows", platform="windows", automatic_updates=False).ids)
    more = declare("windows", platform="windows", file_extensions=True, telemetry=0)
    assert more.mistakes == ()
    assert len(more.ids) == len(windows.ids) + 2


ASKED: dict[str, Any] = {
    "packages": ["git"], "motd": "Ours", "ssh": True, "account": "ada", "account_groups": ["sudo"],
    "canary": ["agent"], "canary_percent": 100,
}  # fmt: skip


@pytest.mark.parametrize("platform", ["linux", "darwin", "windows"])
def test_baseline_works_on_every_system(platform: Any) -> None:
    site = declare("baseline", platform=platform)
    assert site.mistakes == ()
    assert len(site.resources) >= 3
    for section in {"linux": ["kernel", "account-files", "shared-folders"], "darwin": ["time"]}.get(platform, ["time"]):
        assert set(declare("baseline", platform=platform, skip=[section]).ids) < set(site.ids)


def test_baseline_does_what_is_asked_for() -> None:
    site = declare("baseline", distro="debian", **ASKED)
    assert site.mistakes == ()
    assert set(site.ids) - set(declare("baseline", distro="debian").ids) == {
        "package:git", "package:agent", "package:openssh-server", "package:nftables", "file:/etc/motd", "service:ssh",
        "firewall:Allow SSH", "user:ada",
    }  # fmt: skip
    assert not declare("baseline", distro="debian", canary=["agent"], canary_percent=0).has("package:agent")
    mac = declare("baseline", platform="darwin", packages=["git"], ssh=True, motd="Ours", brew_user="ada")
    assert mac.mistakes == ()
    assert {"exec:brew install git", "service:com.openssh.sshd", "file:/etc/motd"} <= set(mac.ids)
    assert declare("baseline", platform="windows", ssh=True).has("service:sshd")


@pytest.mark.parametrize(
    ("platform", "parameters", "why"),
    [
        ("darwin", {"packages": ["git"]}, "Homebrew refuses to work for root; name the account it belongs to"),
        ("darwin", {"account": "ada"}, "account: converge makes none on macOS yet"),
        ("windows", {"packages": ["git"]}, "packages: converge installs none on Windows yet"),
        ("linux", {"skip": ["kernle"]}, "nothing in baseline is called 'kernle' (did you mean kernel?)"),
    ],
)
def test_what_cannot_be_had_is_said(platform: Any, parameters: dict[str, Any], why: str) -> None:
    assert any(why in str(each) for each in declare("baseline", platform=platform, **parameters).mistakes)


@pytest.mark.parametrize("name", ["baseline", "linux", "linux_server"])
def test_parts_can_be_left_out(name: str) -> None:
    site = declare(name, distro="debian", skip=["fs", "/tmp", "account-files"])
    assert site.mistakes == ()
    left = set(declare(name, distro="debian").ids) - set(site.ids)
    assert {"sysctl:fs.protected_symlinks", "file:/tmp", "file:/etc/passwd"} <= left
    assert site.has("sysctl:kernel.randomize_va_space")
    assert site.has("file:/var/tmp")


def test_a_setting_of_the_owners_replaces_a_default() -> None:
    site = declare("linux_server", distro="debian", sysctls=["kernel.kptr_restrict=2", "kernel.sysrq=0"])
    assert site.mistakes == ()
    assert site["sysctl:kernel.kptr_restrict"].value == "2"
    assert site["sysctl:kernel.sysrq"].value == "0"
    (mistake,) = declare("linux", distro="debian", sysctls=["kernel.sysrq"]).mistakes
    assert "sysctls: 'kernel.sysrq' is none; write KEY=VALUE" in str(mistake)


@pytest.mark.parametrize("distro", sorted(DISTROS))
def test_a_server_with_all_that_can_be_asked_for(distro: str) -> None:
    def site(r: Run) -> None:
        r.include("baseline", packages=["git"], motd="Ours", ssh=True)
        r.include("linux_server", packages=["git"], motd="Ours", ssh=True, cron=True, block_smtp=True, fail2ban=True,
                  ssh_from=["10.0.0.0/8"], root_login=False, max_auth_tries=3)  # fmt: skip

    made = declare(site, distro=distro)
    assert made.mistakes == ()
    assert "MaxAuthTries 3\n" in made["file:/etc/ssh/sshd_config.d/10-converge.conf"].content
    assert made["file:/etc/ssh/sshd_config.d/09-converge-root.conf"].condition is not None
    assert made["firewall:ssh of others"].order < made["firewall:Allow SSH"].order, "networks that are named are meant"


def test_a_setting_is_left_out_where_it_is_not_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    there = SysctlWritable("kernel.randomize_va_space", "17", optional=False)
    for flags, root, may_write, own in (
        (0, 0, True, True),
        (os.ST_RDONLY, 0, True, False),
        (0, 0, False, False),
        (0, 1000, False, True),
    ):
        monkeypatch.setattr(os, "statvfs", lambda _, flags=flags: SimpleNamespace(f_flag=flags))
        monkeypatch.setattr(os, "geteuid", lambda root=root: root)
        monkeypatch.setattr(os, "access", lambda *_, may_write=may_write: may_write)
        assert there.met() == own
        now = Path("/proc/sys/kernel/randomize_va_space").read_text()
        assert SysctlWritable("kernel.randomize_va_space", now, optional=False).met(), "right already"
    assert SysctlWritable("no.such.key", "1", optional=False).met(), "that is for the resource to report"
    assert not SysctlWritable("no.such.key", "1", optional=True).met()
    (trigger,) = SysctlWritable("net.ipv4.conf.eth0/1.forwarding", "0", optional=False).triggers()
    assert trigger == PathChanged("/proc/sys/net/ipv4/conf/eth0.1/forwarding")


def test_what_root_may_not_do_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr("builtins.open", lambda *_, **__: status.open())
    for bounding, filters, mounts in (
        ("1ffffffffff", True, True),
        ("a80425fb", False, False),
        ("a80435fb", True, False),
    ):
        status.write_text(f"Name:\tx\nCapBnd:\t{bounding}\n")
        assert (may_filter_packets().met(), may_mount().met()) == (filters, mounts)


@pytest.mark.parametrize("distro", ["debian", "ubuntu"])
def test_cis_is_for_debian_and_ubuntu(distro: str) -> None:
    site = declare("cis", distro=distro)
    assert site.mistakes == ()
    assert site.has("file:/etc/ssh/sshd_config.d/05-converge-cis.conf")


@pytest.mark.parametrize(
    ("name", "platform", "distro", "why"),
    [
        ("cis", "linux", "fedora", "cis is made for Debian, Ubuntu, Windows and macOS, and this is fedora"),
        ("linux_server", "darwin", "", "linux_server is made for Linux, and this is macOS"),
        ("windows", "linux", "", "windows is made for Windows, and this is Linux"),
        ("darwin", "linux", "", "darwin is made for macOS, and this is Linux"),
    ],
)
def test_elsewhere_it_says_what_it_is_for(name: str, platform: str, distro: str, why: str) -> None:
    (mistake,) = declare(name, platform=platform, distro=distro).mistakes  # type: ignore[arg-type]  # one of them
    assert why in str(mistake)


@pytest.mark.parametrize("distro", ["debian", "ubuntu"])
def test_cis_and_linux_server_go_together(distro: str) -> None:
    def both(r: Run) -> None:
        r.include("linux_server", ports=["443", "53/udp"])
        r.include("cis", ports=["443", "53/udp"])

    site = declare(both, distro=distro)
    assert site.mistakes == ()
    assert site.comes_before("firewall:port 53/udp", "firewall_policy:inbound"), "nothing is shut out for a moment"


def test_the_numbers_are_those_of_the_edition() -> None:
    for distro, edition, number in (
        ("debian", None, "1.1.1.9"),
        ("debian", "ubuntu-22.04", "1.1.1.8"),
        ("ubuntu", "ubuntu-22.04", "1.1.1.8"),
        ("ubuntu", "ubuntu-24.04", "1.1.1.9"),
    ):
        file = declare("cis", distro=distro, edition=edition)["file:/etc/modprobe.d/converge-usb-storage.conf"]
        assert file.content.startswith(f"# CIS {number}\n")


def test_the_edition_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for release, edition in (("22.04", "ubuntu-22.04"), ("24.04", "ubuntu-24.04"), ("26.04", "ubuntu-24.04")):
        monkeypatch.setattr(linux, "_release", lambda release=release: ("ubuntu", release))
        assert linux.edition(pretended_platform("linux", "ubuntu"), Options()) == edition
        assert linux.edition(pretended_platform("linux", "debian"), Options()) == "debian-12"


def test_numbers_are_first_those_of_ones_own_edition() -> None:
    """6.2 is auditd for Debian and Ubuntu 24.04, and logging for Ubuntu 22.04."""
    journal, audit = "file:/etc/systemd/journald.conf.d/60-converge-cis.conf", "service:auditd"
    new = declare("cis", distro="debian", also=["auditd"], skip=["6.2"])
    assert new.has(journal)
    assert not new.has(audit)
    old = declare("cis", distro="ubuntu", edition="ubuntu-22.04", also=["auditd"], skip=["6.2"])
    assert not old.has(journal)
    assert old.has(audit)
    assert not declare("cis", distro="debian", skip=["4.2.2"]).has("package:ufw"), "Ubuntu's, which Debian's has not"


def test_what_is_extra_is_kept_where_it_is_named() -> None:
    plain = declare("cis", distro="debian")
    ssh = "file:/etc/ssh/sshd_config.d/05-converge-cis.conf"
    assert not plain.has("package:auditd")
    assert "DisableForwarding" not in plain[ssh].content
    more = declare("cis", distro="debian", also=["auditd", "5.1.8", "5.3.3.2.3", "5.4.1.2"], ssh_groups=["admins"])
    assert more.mistakes == ()
    assert "DisableForwarding yes\n" in more[ssh].content
    assert "AllowGroups admins\n" in more[ssh].content
    assert "minclass = 4\n" in more["file:/etc/security/pwquality.conf.d/60-converge-cis.conf"].content
    rules = more["file:/etc/audit/rules.d/60-converge-cis.rules"].content
    for key in ("time-change", "identity", "system-locale", "MAC-policy", "logins", "session", "perm_mod", "access",
                "mounts", "delete", "scope", "sudo_log_file", "kernel_modules"):  # fmt: skip
        assert f"-k {key}\n" in rules
    assert declare("cis", distro="debian", sections=["auditd"]).has("package:auditd")
    (mistake,) = declare("cis", distro="debian", also=["audit"]).mistakes
    assert "also: nothing in cis is called 'audit' (did you mean auditd?)" in str(mistake)


@pytest.mark.parametrize("edition", ["debian", "ubuntu24", "ubuntu"])
def test_every_recommendation_is_there_once_and_in_its_section(edition: str) -> None:
    numbers = [number for rule in rules() for number in getattr(rule, edition)]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) > 100
    assert all(re.fullmatch(r"[1-7](\.\d+){2,4}", number) for number in numbers)
    assert {rule.section for rule in rules()} == set(SECTIONS)
    for rule in rules():
        for number in getattr(rule, edition):
            assert number.split(".")[0] == _CHAPTERS[rule.section], (rule.section, number)
        assert rule.title
        assert rule.why


_CHAPTERS = dict.fromkeys(("filesystems", "boot", "processes", "banners"), "1")
_CHAPTERS |= dict.fromkeys(("services", "clients", "time", "cron"), "2")
_CHAPTERS |= dict.fromkeys(("ssh", "sudo", "passwords", "sessions"), "5")
_CHAPTERS |= {"network": "3", "firewall": "4", "permissions": "7"}
_CHAPTERS |= dict.fromkeys(("logging", "auditd", "integrity"), "6")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_can_be_had_alone_and_left_out(section: str) -> None:
    everything = set(declare("cis", distro="debian", also=["auditd"]).ids)
    alone = set(declare("cis", distro="debian", sections=[section]).ids)
    without = set(declare("cis", distro="debian", also=["auditd"], skip=[section]).ids)
    assert alone
    assert alone | without == everything
    assert not {rule.section for rule in chosen(rules(), [section], [])} - {section}


def only(rule: Rule) -> BlueprintFunction:
    def alone(r: Run) -> None:
        declare_cis(r, [rule], Options(banner="-"))

    return alone


def test_each_recommendation_stands_alone_and_can_be_left_out() -> None:
    for rule in rules():
        assert declare(only(rule), distro="debian").mistakes == (), rule.title
        without = declare("cis", distro="debian", skip=rule.ubuntu[-1:], also=["auditd", "ssh", "passwords"])
        assert without.mistakes == (), rule.title


def test_numbers_can_be_left_out_also_by_their_beginning() -> None:
    site = declare("cis", distro="debian", skip=["2.1", "5.1.16", "7.1.1"])
    assert not site.has("package:nginx")
    assert site.has("package:telnet"), "2.2.4 does not begin with 2.1"
    assert "MaxAuthTries" not in site["file:/etc/ssh/sshd_config.d/05-converge-cis.conf"].content
    assert "MaxSessions" in site["file:/etc/ssh/sshd_config.d/05-converge-cis.conf"].content
    assert not site.has("file:/etc/passwd")
    assert site.has("exec:permissions of /etc/security/opasswd"), "7.1.10 does not begin with 7.1.1"


def test_what_is_called_like_nothing_is_a_mistake() -> None:
    (mistake,) = declare("cis", distro="debian", skip=["firewal"]).mistakes
    assert "nothing in cis is called 'firewal' (did you mean firewall?)" in str(mistake)
    (mistake,) = declare("cis", distro="debian", sections=["shh"]).mistakes
    assert "did you mean ssh" in str(mistake)


def test_parameters_are_guards() -> None:
    site = declare("cis", distro="debian", keep=["nginx"], forwarding=True)
    assert not site.has("package:nginx")
    assert site.has("package:apache2")
    assert not site.has("sysctl:net.ipv4.ip_forward")
    assert not site.has("sysctl:net.ipv6.conf.all.accept_ra"), "an address may come from a router"
    assert declare("cis", distro="debian", static_ipv6=True).has("sysctl:net.ipv6.conf.all.accept_ra")
    assert str(site["file:/etc/ssh/sshd_config.d/06-converge-cis-root.conf"].condition).endswith(
        "an administrator other than root has an SSH key)"
    )
    passwords = "file:/etc/ssh/sshd_config.d/11-converge-keys.conf"
    assert not declare("linux_server", distro="debian", passwords=True).has(passwords)
    assert declare("linux_server", distro="debian", administrators=["ada"]).has(passwords)


def test_a_blueprint_that_includes_one_can_be_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "site.py"
    path.write_text(HEAD + '@blueprint("site")\ndef site(r: Run) -> None:\n    r.include("linux")\n')
    first, second = load(str(path)), load(str(path))
    assert [each.id for each in first.graph.resources] == [each.id for each in second.graph.resources]


def test_an_owners_blueprint_may_be_called_like_one_of_ours(tmp_path: Path) -> None:
    text = HEAD + '@blueprint("baseline")\ndef baseline(r: Run) -> None:\n    r.include("linux")\n'
    (tmp_path / "site.py").write_text(text)
    assert any(each.id == "file:/etc/passwd" for each in load(str(tmp_path / "site.py")).graph.resources)


def test_an_owners_blueprint_may_be_called_like_one_of_ours_that_was_loaded(tmp_path: Path) -> None:
    ours = load("baseline", given=Given(platform=pretended_platform())).graph.resources
    own = tmp_path / "site.py"
    own.write_text(
        HEAD + '@blueprint("baseline")\ndef baseline(r: Run) -> None:\n    r.file("/srv/own", content="x")\n'
    )
    assert [each.id for each in load(str(own)).graph.resources] == ["file:/srv/own"]
    again = load("baseline", given=Given(platform=pretended_platform())).graph.resources
    assert [each.id for each in again] == [each.id for each in ours]


# --- permissions that are taken away and never given -------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(allowed=st.integers(0, 0o7777), before=st.integers(0, 0o7777))
def test_what_goes_beyond_is_taken_away_and_nothing_is_given(
    tmp_path_factory: pytest.TempPathFactory, allowed: int, before: int
) -> None:
    path = tmp_path_factory.mktemp("mode") / "file"
    path.touch()
    path.chmod(before)
    before = stat.S_IMODE(path.stat().st_mode)  # without root not every bit can be set
    less = common._less(allowed)
    if less:
        subprocess.run(["chmod", less, path], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == before & allowed


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to root")
def test_an_optional_file_is_limited_and_never_made(tmp_path: Path) -> None:
    path = tmp_path / "key"
    run = Run(platform=pretended_platform("linux"))
    common.limited(run, str(path), 0o640, "root")
    (resource,) = run._declared.values()
    assert isinstance(resource, Exec)
    assert resource.check() == ()
    assert not path.exists()
    for before, owner, after in ((0o666, 0, 0o640), (0o400, 0, 0o400), (0o400, 65534, 0o400)):
        path.touch()
        path.chmod(before)
        os.chown(path, owner, owner)
        if state := resource.check():
            resource.apply(state)
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (after, 0, 0)
        assert resource.check() == ()
        path.unlink()


# --- the guard ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lets_in"),
    [
        (KEY, True),
        (f"{KEY} ada@laptop", True),
        (f'from="10.0.0.0/8",no-pty {KEY} ada', True),
        (f"# {KEY}", False),
        (f"  # {KEY}", False),
        (f'no-pty,command="echo log in as ubuntu" {KEY}', False),
        (f'command="/usr/bin/backup" {KEY}', False),
        ("ssh-ed25519 AAAA", False),
        ("", False),
        ("hello", False),
    ],
)
def test_a_key_counts_that_lets_somebody_do_what_they_like(line: str, lets_in: bool) -> None:
    assert bool(list(administrators.keys_in(f"\n{line}\n"))) == lets_in


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """root, ada who may use sudo, bob who may not, and eve who may and cannot log in; each with a home here."""
    shells = {"root": "/bin/bash", "ada": "/bin/bash", "bob": "/bin/bash", "eve": "/usr/sbin/nologin"}
    for name in shells:
        (tmp_path / name / ".ssh").mkdir(parents=True)
    found = {name: SimpleNamespace(pw_dir=str(tmp_path / name), pw_shell=shell) for name, shell in shells.items()}
    monkeypatch.setattr(pwd, "getpwnam", found.__getitem__)
    monkeypatch.setattr(grp, "getgrnam", {"sudo": SimpleNamespace(gr_mem=["ada", "eve"])}.__getitem__)
    sudo = tmp_path / "sudo"
    sudo.touch(0o755)
    monkeypatch.setattr(administrators, "SUDO", str(sudo))
    return tmp_path


@pytest.mark.parametrize(
    ("who", "names", "any_administrator", "other_than_root"),
    [
        ("nobody", (), False, False),
        ("root", (), True, False),
        ("ada", (), True, True),
        ("bob", (), False, False),
        ("eve", (), False, False),
        ("bob", ("bob",), True, True),
        ("ada", ("bob",), False, False),
        ("ada", ("gone", "ada"), True, True),
    ],
)
def test_who_counts_as_an_administrator(
    people: Path, who: str, names: tuple[str, ...], any_administrator: bool, other_than_root: bool
) -> None:
    if who != "nobody":
        (people / who / ".ssh" / "authorized_keys").write_text(f"{KEY}\n")
    key = administrators.an_administrator_has_a_key
    assert key(names).met() == any_administrator
    assert key(names, root=False).met() == other_than_root
    (people / "sudo").unlink()
    assert key(names).met() == any_administrator
    assert not key(names, root=False).met(), "without sudo nobody else becomes root"


def test_the_guard_hears_of_keys_and_of_people(people: Path) -> None:
    triggers = administrators.an_administrator_has_a_key().triggers()
    watched = {trigger.path for trigger in triggers if isinstance(trigger, PathChanged)}
    assert len(watched) == len(triggers), "nothing is polled"
    assert {"/etc/passwd", "/etc/group", f"{people}/ada/.ssh/authorized_keys"} <= watched


def test_linux_server_never_holds_back_an_owners_own_ssh() -> None:
    """Its files go by the name of the service, wait for conditions, and may fail."""

    def site(r: Run) -> None:
        r.include("linux_server")
        r.service("ssh", state="running")

    declared = declare(site, distro="debian")
    files = [id for id in declared.ids if id.startswith("file:/etc/ssh/")]
    assert files
    assert all(declared.comes_before(id, "service:ssh") for id in files), "they have their turn before it"
    waiting = [each.id for each in declared.resources if each.condition is not None]
    for unmet, failing in ((waiting, []), ([], files), (files[:1], files[1:])):
        simulator = Simulator(declared.resources, included=declared.graph.included, unmet=unmet)
        simulator.world.failing |= set(failing)
        simulator.run()
        assert "service:ssh" not in simulator.world.wrong


def test_a_package_to_keep_that_is_misspelt_is_told_where_it_is_given() -> None:
    with pytest.raises(ConvergeError) as raised:
        load("cis", given=Given(sets=(("keep", "ufw,nginxx"),), platform=pretended_platform(None, "debian")))
    assert str(raised.value) == (
        "--set keep: cis: keep: cis removes no package 'nginxx' (did you mean nginx?); leave it out"
    )
