"""firewall: declared rules as nftables' expressions, and one transaction that puts right whatever others did."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import Busy, ResourceError
from converge.core.trigger import FirewallChanged, LinkChanged
from converge.resources.firewall import Firewall, FirewallPolicy
from converge.resources.firewall.nftables import live, nft, ssh_ports
from converge.resources.firewall.nftables.comments import parse, policy_comment, rule_comment
from converge.resources.firewall.nftables.expressions import expressions, shape, words
from converge.resources.firewall.nftables.nft import NftError
from converge.resources.firewall.values import merged


class Kernel:
    """Stands in for libnftables: one table, with what the transactions of this kind are made of.

    What the real one makes of an expression is tried on a real kernel, in tests/system.
    """

    def __init__(self) -> None:
        self.chains: dict[str, dict[str, Any]] | None = None
        self.flags: list[str] = []
        self.sets: dict[str, list[Any]] = {}
        self.transactions: list[list[Any]] = []
        self.refused: Any = None
        self._handles = itertools.count(1)

    def run(self, commands: Sequence[Any]) -> list[Any]:
        if "list" in commands[0]:
            return self._list(commands[0]["list"])
        before = copy.deepcopy((self.chains, self.flags, self.sets))
        self.transactions.append(list(commands))
        try:
            for command in commands:
                ((verb, what),) = command.items()
                ((kind, content),) = what.items()
                getattr(self, f"{verb}_{kind}")(content)
        except (NftError, StopIteration) as error:
            self.chains, self.flags, self.sets = before
            raise NftError("No such file or directory") from error
        return []

    def _list(self, what: Any) -> list[Any]:
        if "tables" in what:
            return [] if self.chains is None else [{"table": {"family": "inet", "name": "converge"}}]
        if self.chains is None:
            raise NftError("No such file or directory")
        return [
            {"table": {"family": "inet", "name": "converge", **({"flags": self.flags} if self.flags else {})}},
            *({"set": {"name": name}} for name in self.sets),
            *({"chain": chain["chain"]} for chain in self.chains.values()),
            *({"rule": dict(rule)} for chain in self.chains.values() for rule in chain["rules"]),
        ]

    def add_table(self, content: Any) -> None:
        self.chains = {} if self.chains is None else self.chains
        self.flags = []

    def add_chain(self, content: Any) -> None:
        assert self.chains is not None
        there = self.chains.setdefault(content["name"], {"chain": content, "rules": []})
        there["chain"] = {**there["chain"], "policy": content["policy"]}

    def add_set(self, content: Any) -> None:
        self.sets.setdefault(content["name"], [])

    def flush_set(self, content: Any) -> None:
        self.sets[content["name"]].clear()

    def delete_set(self, content: Any) -> None:
        assert f"@{content['name']}" not in str(self.chains)
        del self.sets[content["name"]]

    def add_element(self, content: Any) -> None:
        self.sets[content["name"]] += [element["concat"] for element in content["elem"]]

    def flush_chain(self, content: Any) -> None:
        self.chains[content["name"]]["rules"].clear()  # type: ignore[index]

    def delete_chain(self, content: Any) -> None:
        assert self.chains is not None
        del self.chains[content["name"]]

    def add_rule(self, content: Any) -> None:
        self._place(content, None)

    def insert_rule(self, content: Any) -> None:
        self._place(content, content.pop("handle"))

    def _place(self, content: Any, before: int | None) -> None:
        if self.refused is not None and self.refused(content):
            raise NftError("Invalid argument")
        for name in re.findall(r"'@(\w+)'", str(content)):
            assert name in self.sets
        rules = self.rules(content["chain"])
        at = len(rules) if before is None else next(i for i, rule in enumerate(rules) if rule["handle"] == before)
        rules.insert(at, {**content, "handle": next(self._handles)})

    def delete_rule(self, content: Any) -> None:
        rules = self.rules(content["chain"])
        rules.remove(next(rule for rule in rules if rule["handle"] == content["handle"]))

    def rules(self, chain: str = "input") -> list[Any]:
        if self.chains is None or chain not in self.chains:
            raise NftError("No such file or directory")
        rules: list[Any] = self.chains[chain]["rules"]
        return rules

    def names(self, chain: str = "input") -> list[str]:
        """What the comments say, a word each."""
        return [rule.get("comment", "?").rpartition(" ")[2] for rule in self.rules(chain)]

    def foreign(self, at: int, words: str = "theirs") -> None:
        content = {"chain": "input", "comment": words, "expr": [{"accept": None}], "handle": next(self._handles)}
        self.rules().insert(at, content)


OPEN = [
    live.Connection("tcp", 4, ("192.0.2.1", 22, "192.0.2.9", 50000)),
    live.Connection("udp", 6, ("2001:db8::1", 53, "2001:db8::9", 50000)),
    live.Connection("udp", 6, ("2001:db8::1", 53, "2001:db8::9", 50000)),
]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(nft, "run", made.run)
    monkeypatch.setattr(nft, "readable", lambda: True)
    monkeypatch.setattr(ssh_ports, "ssh_ports", lambda: {22})
    monkeypatch.setattr(live, "connections", lambda: iter(OPEN))
    monkeypatch.setattr("converge.resources.firewall.nftables.default_policies.ssh_ports", lambda: {22})
    return made


def declared(*rules: Firewall) -> list[Firewall]:
    """As the rules of one blueprint, in this order."""
    ids = {rule.id: rule for rule in rules}.keys()
    for rule in rules:
        assert list(rule.mistakes()) == []
    return [rule.with_declared_ids(ids) for rule in rules]


def states(rules: Sequence[Firewall]) -> list[Changes]:
    found = list(Firewall.check_many(rules))
    assert not any(isinstance(state, Exception) for state in found), found
    return found  # type: ignore[return-value]


def converge(rules: Sequence[Firewall]) -> list[Changes]:
    """Check, apply what differs, and find nothing more."""
    found = states(rules)
    work = [(rule, state) for rule, state in zip(rules, found, strict=True) if state]
    if work:
        assert not any(Firewall.apply_many(work))
    assert states(rules) == [IN_SYNC] * len(rules)
    return found


def one(**options: Any) -> list[str]:
    rule = Firewall("it", **options)
    assert list(rule.mistakes()) == []
    return [words(expression) for expression in expressions(rule)]


class TestExpressions:
    def test_ports(self) -> None:
        assert one(port=22) == ["tcp dport 22 accept"]
        assert one(port="22", protocol="udp", action="block") == ["udp dport 22 drop"]
        assert one(port=[443, "80", "8000-8010", 8011, "8005-8020"]) == ["tcp dport 80, 443, 8000-8020 accept"]
        assert one(port="5-5") == ["tcp dport 5 accept"]

    def test_protocols(self) -> None:
        assert one(port=53, protocol="both") == ["tcp dport 53 accept", "udp dport 53 accept"]
        assert one() == ["tcp accept"]
        assert one(protocol="any", action="block") == ["drop"]
        assert one(protocol="icmp") == ["icmp accept", "ipv6-icmp accept"]
        assert one(protocol="icmp", source="::1") == ["ip6 saddr ::1 ipv6-icmp accept"]

    def test_addresses_of_both_families(self) -> None:
        assert one(port=1, source=["10.0.0.0/8", "fe80::/10", "10.1.0.0/16"], dest="192.0.2.1") == [
            "ip saddr 10.0.0.0/8 ip daddr 192.0.2.1 tcp dport 1 accept"
        ]
        assert one(port=1, source=["10.0.0.1", "::1"]) == [
            "ip saddr 10.0.0.1 tcp dport 1 accept",
            "ip6 saddr ::1 tcp dport 1 accept",
        ]

    def test_all_of_a_family(self) -> None:
        assert one(port=1, source="0.0.0.0/0") == ["ipv4 tcp dport 1 accept"]
        assert one(port=1, dest="::/0", source="::/0") == ["ipv6 ipv6 tcp dport 1 accept"]

    def test_interfaces(self) -> None:
        assert one(port=1, interface="eth0") == ["iifname eth0 tcp dport 1 accept"]
        assert one(port=1, interface="eth*", direction="outbound") == ["oifname eth* tcp dport 1 accept"]

    def test_a_tcp_client_is_told_by_a_reset(self) -> None:
        tcp, udp = (
            statements[-1] for statements in expressions(Firewall("it", port=1, protocol="both", action="reject"))
        )
        assert tcp == {"reject": {"type": "tcp reset"}}
        assert udp == {"reject": {"type": "icmpx", "expr": 1}}


def listed(left: Any, right: Any) -> Any:
    return {"match": {"op": "==", "left": left, "right": right}}


SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}


class TestShape:
    """The same rule, in the words of several versions of nftables."""

    @pytest.mark.parametrize(
        "right",
        [
            {"set": ["10.9.9.9", {"range": ["10.0.1.0", "10.0.3.255"]}]},
            {
                "set": [
                    {"prefix": {"addr": "10.0.1.0", "len": 24}},
                    {"prefix": {"addr": "10.0.2.0", "len": 23}},
                    "10.9.9.9",
                ]
            },
        ],
    )
    def test_elements_may_be_merged_and_sorted(self, right: Any) -> None:
        (mine,) = expressions(Firewall("it", port=1, source=["10.9.9.9", "10.0.2.0/24", "10.0.1.0/24", "10.0.3.0/24"]))
        assert shape([listed(DPORT, 1), listed(SADDR, right), {"accept": None}]) == shape(mine)

    def test_what_is_implied_may_be_said(self) -> None:
        (mine,) = expressions(Firewall("it", port=1, source="10.0.0.1"))
        theirs = [
            listed({"meta": {"key": "nfproto"}}, "ipv4"),
            listed(SADDR, "10.0.0.1"),
            listed({"meta": {"key": "l4proto"}}, "tcp"),
            listed(DPORT, 1),
            {"accept": None},
        ]
        assert shape(theirs) == shape(mine)

    @pytest.mark.parametrize("protocol", [6, "tcp"])
    def test_protocols_may_have_names(self, protocol: Any) -> None:
        (mine,) = expressions(Firewall("it"))
        assert shape([listed({"meta": {"key": "l4proto"}}, protocol), {"accept": None}]) == shape(mine)

    @pytest.mark.parametrize(
        "reject", [None, {"type": "icmpx", "expr": 1}, {"type": "icmp", "expr": "port-unreachable"}]
    )
    def test_a_rejection_has_several_names(self, reject: Any) -> None:
        (mine,) = expressions(Firewall("it", protocol="any", action="reject"))
        assert shape([{"reject": reject}]) == shape(mine)

    @pytest.mark.parametrize(
        "theirs",
        [
            [listed(DPORT, 1)],
            [listed(DPORT, 1), {"drop": None}],
            [listed(DPORT, 2), {"accept": None}],
            [listed(DPORT, {"range": [1, 2]}), {"accept": None}],
            [listed(DPORT, "tcpmux"), {"accept": None}],
            [listed(DPORT, 1), {"counter": {"packets": 0, "bytes": 0}}, {"accept": None}],
            [listed(DPORT, 1), {"limit": {"rate": 1, "per": "day"}}, {"accept": None}],
            [{"match": {"op": "!=", "left": DPORT, "right": 1}}, {"accept": None}],
            [listed({"payload": {"protocol": "udp", "field": "dport"}}, 1), {"accept": None}],
            [listed(DPORT, 1), listed({"meta": {"key": "iifname"}}, "eth0"), {"accept": None}],
            [listed(DPORT, 1), {"jump": {"target": "elsewhere"}}],
            [listed(DPORT, 1), {"reject": {"type": "tcp reset"}}],
        ],
    )
    def test_another_rule_has_another(self, theirs: Any) -> None:
        (mine,) = expressions(Firewall("it", port=1))
        assert shape(theirs) != shape(mine)

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)).map(lambda pair: (pair[0], sum(pair)))))
    def test_spans_are_the_same_numbers_in_the_fewest_spans(self, spans: list[tuple[int, int]]) -> None:
        result = merged(spans)
        numbers = [number for first, last in result for number in range(first, last + 1)]
        assert numbers == sorted({number for first, last in spans for number in range(first, last + 1)})
        assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(result))


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"port": 0}, "port takes 1 to 65535, not 0"),
            ({"port": 65536}, "port takes 1 to 65535"),
            ({"port": "70-60"}, "write 60-70"),
            ({"port": "http"}, "takes a number or a range"),
            ({"port": -1}, "takes a number or a range"),
            ({"port": "1-"}, "takes a number or a range"),
            ({"port": "٣"}, "takes a number or a range"),
            ({"port": []}, "empty list"),
            ({"port": 1, "protocol": "any"}, "has no ports"),
            ({"source": "10.0.0.1/8"}, "the network is 10.0.0.0/8"),
            ({"dest": "fe80::1/10"}, "the network is fe80::/10"),
            ({"source": "10.0.0.256"}, "takes an address"),
            ({"source": "example.org"}, "takes an address"),
            ({"source": []}, "empty list"),
            ({"source": "10.0.0.0/8", "dest": ["::1"]}, "no family in common"),
            ({"interface": "a" * 16}, "no name for a network interface"),
            ({"interface": "eth 0"}, "no name for a network interface"),
            ({"interface": "*"}, "no name for a network interface"),
            ({"interface": "e*h"}, "no name for a network interface"),
            ({"order": 10**7}, "order takes"),
        ],
    )
    def test_is_said(self, options: dict[str, Any], said: str) -> None:
        (mistake,) = Firewall("it", **options).mistakes()
        assert said in mistake

    @pytest.mark.parametrize("name", ["", "  ", 'a"b', "a\nb", "a\\b", "ä" * 33])
    def test_a_name_must_fit_into_a_comment(self, name: str) -> None:
        assert len(list(Firewall(name).mistakes())) == 1

    def test_names_that_fit(self) -> None:
        for name in ("a", "ssh from the office (2nd floor)", "ä" * 32, "#;*"):
            assert not list(Firewall(name, interface="eth0.1").mistakes())
            tag = parse(rule_comment(name, -7, "/etc/x.py"))
            assert tag is not None
            assert (tag.name(), tag.order) == (name, -7)
            assert len(rule_comment(name, -1_000_000, "/x").encode()) < 128


def test_its_triggers() -> None:
    assert Firewall("it").triggers() == (FirewallChanged(),)
    assert Firewall("it", interface="eth0").triggers() == (FirewallChanged(), LinkChanged("eth0"))
    assert Firewall("it", interface="eth*").triggers() == (FirewallChanged(), LinkChanged(""))


class TestConverging:
    def test_all_come_in_one_transaction(self, kernel: Kernel) -> None:
        rules = declared(*(Firewall(f"r{n}", port=n + 1, protocol="both") for n in range(100)))
        found = converge(rules)
        assert [change.action for state in found for change in state] == ["create"] * 100
        assert kernel.names() == [f"r{n}" for n in range(100) for _ in range(2)]
        assert len(kernel.transactions) == 1

    def test_what_is_right_is_left_alone(self, kernel: Kernel) -> None:
        rules = declared(Firewall("a", port=1), Firewall("b", port=2, order=-1))
        converge(rules)
        handles = [rule["handle"] for rule in kernel.rules()]
        kernel.rules()[0]["expr"] = [{"accept": None}]
        (change,) = converge(rules)[1]
        assert (change.property, change.from_, change.to) == ("rule", "accept", "tcp dport 2 accept")
        assert kernel.rules()[1]["handle"] == handles[1]
        assert len(kernel.transactions) == 2

    def test_they_stand_by_order_and_then_as_they_are_declared(self, kernel: Kernel) -> None:
        converge(declared(*(Firewall(name, port=1, order=order) for name, order in
                            (("d", 5), ("b", 0), ("c", 0), ("a", -5)))))  # fmt: skip
        assert kernel.names() == ["a", "b", "c", "d"]
        converge(declared(Firewall("new", port=1, order=1), *(Firewall(name, port=1, order=order) for name, order in
                                                              (("d", 5), ("c", 0), ("b", 0), ("a", -5)))))  # fmt: skip
        assert kernel.names() == ["a", "c", "b", "new", "d"]

    def test_one_that_was_moved_is_the_only_one_that_moves(self, kernel: Kernel) -> None:
        rules = declared(*(Firewall(name, port=1) for name in "abcde"))
        converge(rules)
        kernel.rules().append(kernel.rules().pop(0))
        found = converge(rules)
        assert [bool(state) for state in found] == [True, False, False, False, False]
        assert found[0][0].property == "order"
        assert kernel.names() == list("abcde")

    def test_what_is_absent_goes(self, kernel: Kernel) -> None:
        converge(declared(Firewall("a", port=1), Firewall("b", port=2)))
        (state, _) = converge(declared(Firewall("a", state="absent"), Firewall("b", port=2)))
        assert [(change.action, change.from_) for change in state] == [("remove", "tcp dport 1 accept")]
        assert kernel.names() == ["b"]

    def test_absent_where_there_is_no_table_is_right(self, kernel: Kernel) -> None:
        converge(declared(Firewall("a", state="absent")))
        assert not kernel.transactions

    def test_what_is_declared_no_more_goes(self, kernel: Kernel) -> None:
        converge(declared(Firewall("a", port=1), Firewall("b", port=2)))
        found = converge(declared(Firewall("c", port=3), Firewall("b", port=2)))
        assert [change.property for change in found[0]] == ["rule", "undeclared rule a"]
        assert kernel.names() == ["c", "b"]

    def test_what_another_file_declares_is_not_ours_to_remove(self, kernel: Kernel) -> None:
        theirs = declared(Firewall("theirs", port=1))
        for rule in theirs:
            object.__setattr__(rule, "where", rule.where._replace(file="/etc/theirs.py"))
        converge(theirs)
        mine = declared(Firewall("mine", port=2))
        converge(mine)
        assert kernel.names() == ["mine", "theirs"]
        assert states(theirs) == [IN_SYNC]

    def test_a_second_copy_goes(self, kernel: Kernel) -> None:
        rules = declared(Firewall("a", port=1))
        converge(rules)
        kernel.rules().append({**kernel.rules()[0], "handle": 999})
        converge(rules)
        assert kernel.names() == ["a"]

    def test_it_moves_to_the_other_direction(self, kernel: Kernel) -> None:
        converge(declared(Firewall("a", port=1)))
        converge(declared(Firewall("a", port=1, direction="outbound")))
        assert kernel.names() == []
        assert kernel.names("output") == ["a"]

    def test_a_table_that_sleeps_is_woken(self, kernel: Kernel) -> None:
        rules = declared(Firewall("a", port=1))
        converge(rules)
        kernel.flags = ["dormant"]
        converge(rules)
        kernel.flags = []

    def test_a_chain_that_is_not_asked_is_made_anew_with_all_that_is_in_it(self, kernel: Kernel) -> None:
        rules = declared(Firewall("a", port=1), Firewall("b", port=2))
        converge(rules)
        kernel.foreign(1)
        del kernel.chains["input"]["chain"]["hook"]  # type: ignore[index]
        assert [state[0].property for state in states(rules)] == ["chain", "chain"]
        assert not any(Firewall.apply_many([(rules[0], states(rules)[0])]))
        assert sorted(kernel.names()) == ["a", "b", "theirs"]
        converge(rules)

    def test_one_that_the_kernel_refuses_fails_alone(self, kernel: Kernel) -> None:
        kernel.refused = lambda content: content["comment"].endswith("bad")
        rules = declared(*(Firewall(name, port=1) for name in ("a", "bad", "c")))
        errors = list(Firewall.apply_many([(rule, rule.check()) for rule in rules]))
        assert [str(error) for error in errors if error] == ["nftables: No such file or directory"]
        assert kernel.names() == ["a", "c"]

    def test_somebody_else_is_faster(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        rules = declared(Firewall("a", port=1))
        converge(rules)
        kernel.rules()[0]["expr"] = [{"drop": None}]
        (state,) = states(rules)

        def run(commands: Sequence[Any]) -> list[Any]:
            if "list" not in commands[0]:
                kernel.chains = None
            return kernel.run(commands)

        monkeypatch.setattr(nft, "run", run)
        (error,) = Firewall.apply_many([(rules[0], state)])
        assert isinstance(error, Busy)

    def test_an_interface_that_does_not_exist(self, kernel: Kernel) -> None:
        with pytest.raises(ResourceError, match="there is no network interface nosuch0"):
            Firewall("a", port=1, interface="nosuch0").check()
        converge(declared(Firewall("b", port=1, interface="nosuch*"), Firewall("c", port=1, interface="lo")))

    def test_others_than_root_are_told(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(commands: object) -> list[Any]:
            raise NftError("Operation not permitted")

        monkeypatch.setattr(nft, "run", refuse)
        with pytest.raises(ResourceError, match="nftables: Operation not permitted"):
            Firewall("a", port=1).check()
        monkeypatch.setattr(nft, "readable", lambda: False)
        assert [change.action for change in Firewall("a", port=1).check()] == ["unknown"]
        assert [change.action for change in FirewallPolicy("inbound", "block").check()] == ["unknown"]


def test_a_kernel_without_a_packet_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> Any:
        raise OSError(93, "Protocol not supported")

    monkeypatch.setattr(nft, "_library", lambda: None)
    monkeypatch.setattr(nft, "readable", lambda: True)
    monkeypatch.setattr(nft.socket, "socket", refuse)
    with pytest.raises(ResourceError, match="no way to its packet filter \\(Protocol not supported\\)"):
        Firewall("a", port=1).check()


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(
    wanted=NAMES,
    orders=st.lists(st.integers(-1, 1), min_size=8, max_size=8),
    there=st.lists(st.tuples(st.sampled_from("abcdefgh?"), st.integers(-1, 1), st.booleans()), max_size=12),
)
def test_whatever_others_did_it_comes_right_in_one_transaction(
    wanted: list[str], orders: list[int], there: list[tuple[str, int, bool]]
) -> None:
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nft, "run", kernel.run)
        kernel.run([{"add": {"table": {}}}, {"add": {"chain": _chain("input")}}])
        for name, order, right in there:
            if name == "?":
                kernel.foreign(len(kernel.rules()), f"theirs {len(kernel.rules())}")
                continue
            expression = next(expressions(Firewall(name, port=1))) if right else [{"accept": None}]
            kernel.add_rule({"chain": "input", "comment": rule_comment(name, order, ""), "expr": expression})
        theirs = [rule for rule in kernel.rules() if rule["comment"].startswith("theirs")]
        rules = declared(*(Firewall(name, port=1, order=orders["abcdefgh".index(name)]) for name in wanted))
        if not rules:
            return
        converge(rules)
        assert len(kernel.transactions) <= 2  # the first of them is this test's own
        assert [rule for rule in kernel.rules() if rule["comment"].startswith("theirs")] == theirs
        in_order = sorted(wanted, key=lambda name: (orders["abcdefgh".index(name)], wanted.index(name)))
        assert [rule["comment"][-1] for rule in kernel.rules() if rule not in theirs] == in_order


def _chain(name: str) -> dict[str, Any]:
    return {"name": name, "type": "filter", "hook": name, "prio": 0, "policy": "accept"}


class TestPolicy:
    def converge(self, *policies: FirewallPolicy) -> list[Changes]:
        found = list(FirewallPolicy.check_many(policies))
        work = [(policy, state) for policy, state in zip(policies, found, strict=True) if state]
        assert not work or not any(FirewallPolicy.apply_many(work))  # type: ignore[arg-type]
        assert list(FirewallPolicy.check_many(policies)) == [IN_SYNC] * len(policies)
        return found  # type: ignore[return-value]

    def shown(self, kernel: Kernel, chain: str = "input") -> list[str]:
        return [words(rule["expr"]) for rule in kernel.rules(chain)]

    def test_what_must_pass_comes_before_it(self, kernel: Kernel) -> None:
        self.converge(FirewallPolicy("inbound", "block"), FirewallPolicy("outbound", "block", keep_ssh=False))
        rules, policies = kernel.transactions
        assert not [each for each in rules if each.get("add", {}).get("chain", {}).get("policy") == "drop"]
        assert not [each for each in policies if "rule" in each.get("add", {})]
        assert kernel.chains is not None
        assert {chain["chain"]["policy"] for chain in kernel.chains.values()} == {"drop"}
        assert self.shown(kernel) == [
            "ct state established, related accept",
            "not the first ip daddr . tcp dport . ip saddr . tcp sport @inbound_tcp4 accept",
            "not the first ip6 daddr . tcp dport . ip6 saddr . tcp sport @inbound_tcp6 accept",
            "ip daddr . udp dport . ip saddr . udp sport @inbound_udp4 accept",
            "ip6 daddr . udp dport . ip6 saddr . udp sport @inbound_udp6 accept",
            "iifname lo accept",
            "icmpv6 type 130-136, 143 accept",
            "ip6 saddr fe80::/10 udp dport 546 accept",
            "tcp dport 22 accept",
        ]
        assert "tcp sport 22 accept" not in self.shown(kernel, "output")

    def test_declared_rules_stand_between_its_own(self, kernel: Kernel) -> None:
        self.converge(FirewallPolicy("inbound", "block"))
        converge(declared(Firewall("b", port=2, order=10**6), Firewall("a", port=1, order=-(10**6))))
        assert kernel.names() == ["first"] * 8 + ["a", "b", "last"]
        assert FirewallPolicy("inbound", "block").check() == IN_SYNC

    def test_open_connections_come_with_it(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.converge(FirewallPolicy("inbound", "block"))
        filled = {
            "inbound_tcp4": [["192.0.2.1", 22, "192.0.2.9", 50000]],
            "inbound_tcp6": [],
            "inbound_udp4": [],
            "inbound_udp6": [["2001:db8::1", 53, "2001:db8::9", 50000]],
        }
        assert kernel.sets == filled
        # Somebody opens the machine; what is open by then stays, and what has ended meanwhile is let in no more.
        assert kernel.chains is not None
        kernel.chains["input"]["chain"]["policy"] = "accept"
        monkeypatch.setattr(live, "connections", lambda: iter(OPEN[:1]))
        self.converge(FirewallPolicy("inbound", "block"))
        assert kernel.sets == {**filled, "inbound_udp6": []}
        self.converge(FirewallPolicy("inbound", "allow"))
        assert kernel.sets == {}

    def test_allowing_takes_them_away(self, kernel: Kernel) -> None:
        self.converge(FirewallPolicy("inbound", "block"))
        self.converge(FirewallPolicy("inbound", "allow"))
        assert kernel.names() == []
        assert kernel.chains is not None
        assert kernel.chains["input"]["chain"]["policy"] == "accept"

    def test_allowing_where_there_is_no_table_is_right(self, kernel: Kernel) -> None:
        assert self.converge(FirewallPolicy("inbound", "allow")) == [IN_SYNC]

    def test_rules_do_not_touch_it(self, kernel: Kernel) -> None:
        self.converge(FirewallPolicy("inbound", "block"))
        rules = declared(Firewall("a", port=1))
        converge(rules)
        kernel.rules().clear()
        converge(rules)
        assert kernel.chains is not None
        assert kernel.chains["input"]["chain"]["policy"] == "drop"

    def test_another_port_of_ssh_is_drift(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.converge(FirewallPolicy("inbound", "block"))
        monkeypatch.setattr("converge.resources.firewall.nftables.default_policies.ssh_ports", lambda: {22, 2222})
        ((change,),) = self.converge(FirewallPolicy("inbound", "block"))
        assert change.property == "always allowed"
        assert self.shown(kernel)[-1] == "tcp dport 22, 2222 accept"

    def test_its_comments(self) -> None:
        for direction in ("inbound", "outbound"):
            for part in ("first", "last"):
                tag = parse(policy_comment(direction, part))
                assert tag is not None
                assert (tag.owner, tag.part) == (f"policy {direction}", part)


class TestSshPorts:
    @pytest.mark.parametrize(
        ("line", "ports"),
        [
            ("Port 2222", [2222]),
            ("  port=22\n", [22]),
            ("#Port 22", []),
            ("ListenAddress 10.0.0.1:2022", [2022]),
            ("ListenAddress [::]:2022", [2022]),
            ("ListenAddress ::1", []),
            ("ListenAddress 10.0.0.1", []),
            ("ListenStream=2200", [2200]),
            ("ListenStream=0.0.0.0:2200", [2200]),
            ("ListenStream=", []),
            ("GatewayPorts no", []),
        ],
    )
    def test_configured(self, line: str, ports: list[int]) -> None:
        assert list(ssh_ports.configured([line])) == ports

    def test_listeners(self) -> None:
        rest = "00000000:00000000 00:00000000 00000000     0        0"
        lines = [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
            f"   0: 00000000:0016 00000000:0000 0A {rest} 1234 1 0 100 0\n",
            f"   1: 0100007F:1F90 0100007F:C001 01 {rest} 1235 1 0 100 0\n",
            f"   2: {'0' * 32}:08AE {'0' * 32}:0000 0A {rest} 77 1 0 100 0 0 10 0\n",
        ]
        assert list(ssh_ports.listeners(lines)) == [("1234", 22), ("77", 2222)]

    def test_this_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50000 192.0.2.1 2022")
        assert 2022 in ssh_ports.ssh_ports()
        monkeypatch.setenv("SSH_CONNECTION", "nonsense 99999999")
        assert ssh_ports.ssh_ports()
