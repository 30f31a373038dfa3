"""Rules as libnftables' JSON: written from what is declared, and read into a form that can be compared.

What the kernel has is listed in other words than it was added with: elements are sorted and merged, what is implied is
left out. So neither text nor JSON is compared, but the *shape* of both: which field is held against which numbers.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from converge.resources.firewall.nftables.nft import Json
from converge.resources.firewall.values import Network, Span, merged, of_version, port_list, ports, versions

if TYPE_CHECKING:
    from converge.resources.firewall.rule import Firewall

Expression: TypeAlias = Sequence[Json]
Shape: TypeAlias = frozenset[tuple[Hashable, Hashable]]

# As numbers: names are looked up in /etc/protocols, which not every machine has. IANA's, and the kernel's NFPROTO_*.
PROTOCOLS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58}
_FAMILIES: Final = {"ipv4": 2, "ipv6": 10}
_CT_STATES: Final = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
KNOWN_CONNECTION: Final = (_CT_STATES["established"], _CT_STATES["related"])
_TCP_FLAGS: Final = {"syn": 2, "ack": 16}
_FAMILY: Final = {4: ("ip", 2), 6: ("ip6", 10)}
_VERDICTS: Final = {"allow": "accept", "block": "drop"}
# "port unreachable", by the name and number that each type of message has for it (RFC 792, RFC 4443, the kernel's own).
_ICMPX_UNREACHABLE: Final = 1
_UNREACHABLE: Final = {("icmpx", _ICMPX_UNREACHABLE), ("icmp", 3), ("icmpv6", 4)}


# --- writing -------------------------------------------------------------------------------------------------


def expressions(rule: Firewall) -> Iterator[list[Json]]:
    """What a declared rule is to the kernel: one rule for each family and protocol that it needs."""
    for version in _versions(rule):
        for protocol in _protocols(rule, version):
            yield [
                *_interface(rule),
                *_addresses(rule, version),
                *_transport(rule, protocol),
                verdict(rule.action, protocol),
            ]


def match(left: Json, right: object) -> Json:
    """Hold a field against a value."""
    return {"match": {"op": "==", "left": left, "right": right}}


def meta(key: str, value: object) -> Json:
    """Hold something that the kernel knows about a packet against a value."""
    return match({"meta": {"key": key}}, value)


def payload(protocol: str, field: str, elements: Sequence[object]) -> Json:
    """Hold a field of a packet against one or several values."""
    right = elements[0] if len(elements) == 1 else {"set": list(elements)}
    return match({"payload": {"protocol": protocol, "field": field}}, right)


def numbers(spans: Iterable[Span]) -> list[object]:
    """Ports and the like, as elements."""
    return [first if first == last else {"range": [first, last]} for first, last in merged(spans)]


def verdict(action: str, protocol: int | None) -> Json:
    """What happens to a packet."""
    if action in _VERDICTS:
        return {_VERDICTS[action]: None}
    if protocol == PROTOCOLS["tcp"]:
        return {"reject": {"type": "tcp reset"}}
    return {"reject": {"type": "icmpx", "expr": _ICMPX_UNREACHABLE}}


def _versions(rule: Firewall) -> Sequence[int | None]:
    given = [versions(addresses) for addresses in (rule.source, rule.dest) if addresses is not None]
    if given:
        return sorted(set.intersection(*given))
    return (4, 6) if rule.protocol == "icmp" else (None,)


def _protocols(rule: Firewall, version: int | None) -> Sequence[int | None]:
    match rule.protocol:
        case "any":
            return (None,)
        case "both":
            return (PROTOCOLS["tcp"], PROTOCOLS["udp"])
        case "icmp":
            return (PROTOCOLS["icmp" if version == 4 else "icmpv6"],)
        case protocol:
            return (PROTOCOLS[protocol],)


def _interface(rule: Firewall) -> Iterator[Json]:
    if rule.interface is not None:
        yield meta("iifname" if rule.direction == "inbound" else "oifname", rule.interface)


def _addresses(rule: Firewall, version: int | None) -> Iterator[Json]:
    for field, given in (("saddr", rule.source), ("daddr", rule.dest)):
        if given is None or version is None:
            continue
        family, number = _FAMILY[version]
        networks = list(of_version(given, version))
        if networks[0].prefixlen == 0:
            yield meta("nfproto", number)
        else:
            yield payload(family, field, [_address(network) for network in networks])


def _address(network: Network) -> object:
    address = str(network.network_address)
    if network.prefixlen == network.max_prefixlen:
        return address
    return {"prefix": {"addr": address, "len": network.prefixlen}}


def _transport(rule: Firewall, protocol: int | None) -> Iterator[Json]:
    if rule.port is not None:
        name = "tcp" if protocol == PROTOCOLS["tcp"] else "udp"
        yield payload(name, "dport", numbers(ports(port) for port in port_list(rule.port)))
    elif protocol is not None:
        yield meta("l4proto", protocol)


# --- reading -------------------------------------------------------------------------------------------------


def shape(expression: Expression) -> Shape:
    """The same for all ways to write the same rule. What is not understood is kept as it stands, so that it differs."""
    found: set[tuple[Hashable, Hashable]] = set()
    for statement in expression:
        ((name, content),) = statement.items()
        if name == "match" and content["op"] in ("==", "in"):
            found.add(_match_shape(content["left"], content["right"]))
        elif name == "match" and "&" in content["left"]:
            field, mask = content["left"]["&"]
            found.add(((_field(field), content["op"]), (_bits(mask), _bits(content["right"]))))
        elif name == "reject":
            found.add(("verdict", _reject_shape(content)))
        elif content is None:
            found.add(("verdict", name))
        else:
            found.add((name, json.dumps(content, sort_keys=True)))
    protocols = {part[0] for left, _ in found if isinstance(left, tuple) for part in (left, *left) if part}
    implied = {_IMPLIED[protocol] for protocol in protocols if protocol in _IMPLIED}
    return frozenset(found - implied)


# The payload of a protocol says already that it is this protocol.
_IMPLIED: Final = {
    "tcp": ("l4proto", 6),
    "udp": ("l4proto", 17),
    "icmpv6": ("l4proto", 58),
    "ip": ("nfproto", 2),
    "ip6": ("nfproto", 10),
}


def _match_shape(left: Json, right: object) -> tuple[Hashable, Hashable]:
    match left:
        case {"payload": {"protocol": str(protocol), "field": str(field)}}:
            return (protocol, field), tuple(merged(_spans(right)))
        case {"concat": list(parts)}:
            return tuple(_field(part) for part in parts), json.dumps(right)
        case {"meta": {"key": "l4proto"}}:
            return "l4proto", _number(right, PROTOCOLS)
        case {"meta": {"key": "nfproto"}}:
            return "nfproto", _number(right, _FAMILIES)
        case {"meta": {"key": str(key)}} if isinstance(right, str):
            return key, right
        case {"ct": {"key": "state"}}:
            return "ct state", frozenset(_number(each, _CT_STATES) for each in _elements(right))
    return json.dumps(left, sort_keys=True), json.dumps(right, sort_keys=True)


def _field(part: Json) -> Hashable:
    match part:
        case {"payload": {"protocol": str(protocol), "field": str(field)}}:
            return protocol, field
    return json.dumps(part, sort_keys=True)


def _bits(value: object) -> Hashable:
    return frozenset(_number(each, _TCP_FLAGS) for each in _elements(value))


def _number(value: object, names: dict[str, int]) -> Hashable:
    if isinstance(value, str):
        return names.get(value, value)
    return value if isinstance(value, int) else json.dumps(value)


def _elements(right: object) -> list[object]:
    match right:
        case {"set": list(elements)} | {"|": list(elements)}:
            return elements
        case list(elements):
            return elements
    return [right]


def _spans(right: object) -> Iterator[Span]:
    for element in _elements(right):
        match element:
            case {"range": [first, last]}:
                yield _value(first), _value(last)
            case {"prefix": {"addr": str(address), "len": int(length)}}:
                network = ipaddress.ip_network((address, length), strict=False)
                yield int(network.network_address), int(network.broadcast_address)
            case _:
                yield _value(element), _value(element)


def _value(element: object) -> int:
    """The number behind it; for what has none, one that no declared rule has."""
    if isinstance(element, int):
        return element
    try:
        return int(ipaddress.ip_address(str(element)))
    except ValueError:
        return -1 - sum(str(element).encode())


def _reject_shape(content: Json | None) -> str:
    if not content or "type" not in content:
        return "reject: port-unreachable"
    code = content.get("expr")
    said = code in (None, "port-unreachable") and content["type"] != "tcp reset"
    if said or (content["type"], code) in _UNREACHABLE:
        return "reject: port-unreachable"
    return f"reject: {content['type']} {code or ''}".rstrip()


# --- for a person --------------------------------------------------------------------------------------------


def words(expression: Expression) -> str:
    """A rule in nftables' own words, more or less."""
    return " ".join(_statement_words(statement) for statement in expression)


def _statement_words(statement: Json) -> str:
    match statement:
        case {"match": {"left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}:
            return f"{protocol} {field} {_right_words(right)}"
        case {"match": {"left": {"concat": list(parts)}, "right": right}}:
            return f"{' . '.join(' '.join(part['payload'].values()) for part in parts if 'payload' in part)} {right}"
        case {"match": {"left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, _]}}}:
            return "not the first"
        case {"match": {"left": {"meta": {"key": "l4proto"}}, "right": int(number)}}:
            return next((name for name, known in PROTOCOLS.items() if known == number), f"protocol {number}")
        case {"match": {"left": {"meta": {"key": "nfproto"}}, "right": int(number)}}:
            return next((name for name, known in _FAMILIES.items() if known == number), f"family {number}")
        case {"match": {"left": {"ct": {"key": "state"}}, "right": right}}:
            return f"ct state {', '.join(map(_ct_state_words, _elements(right)))}"
        case {"match": {"left": {"meta": {"key": key}}, "right": right}}:
            return f"{key} {_right_words(right)}"
        case {"reject": _}:
            return "reject"
    ((name, content),) = statement.items()
    return name if content is None else json.dumps(statement)


def _ct_state_words(state: object) -> str:
    return next((name for name, number in _CT_STATES.items() if number == state), str(state))


def _right_words(right: object) -> str:
    return ", ".join(map(_element_words, _elements(right)))


def _element_words(element: object) -> str:
    match element:
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
    return str(element)
