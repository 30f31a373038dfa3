"""Sections 18.6 and 18.7: the network, and printing."""

from __future__ import annotations

from converge.blueprints.cis.windows.catalogue import POLICIES, Table, rule, values

_network, _printing = Table("network"), Table("printing")
_DNS = rf"{POLICIES}\Windows NT\DNSClient"
_CONNECTIONS = rf"{POLICIES}\Windows\Network Connections"
_PRINTERS = rf"{POLICIES}\Windows NT\Printers"
_RPC = rf"{_PRINTERS}\RPC"
_POINT = rf"{_PRINTERS}\PointAndPrint"
_HARDENED = "RequireMutualAuthentication=1, RequireIntegrity=1"

_NEIGHBOURS = "Any neighbour can answer when a name is asked of everybody."
_BRIDGE = "A machine in two networks must not join them by accident."
_DRIVERS = "A driver runs as the system, and a printer hands it out."
_SPOOLER = "The print spooler has been the way in more than once."

RULES = (
    _network("18.6.4.1", "DNS over HTTPS is used where it is offered", "The way to a name server is open to all.",
             _DNS, "DoHPolicy", 2),
    _network("18.6.4.2", "NetBIOS names are not asked for in public networks", _NEIGHBOURS, _DNS, "EnableNetbios", 2),
    _network("18.6.4.3", "Names are not asked of everybody on the network", _NEIGHBOURS, _DNS, "EnableMulticast", 0),
    _network(
        "18.6.8.1", "Files are not taken from servers that ask for no account", "Anybody can be such a server.",
        rf"{POLICIES}\Windows\LanmanWorkstation", "AllowInsecureGuestAuth", 0,
    ),
    _network("18.6.11.2", "Networks are not bridged", _BRIDGE, _CONNECTIONS, "NC_AllowNetBridge_NLA", 0),
    _network("18.6.11.3", "Nor is the internet shared", _BRIDGE, _CONNECTIONS, "NC_ShowSharedAccessUI", 0),
    _network(
        "18.6.11.4", "Only administrators say what kind of network it is", "The firewall goes by that.",
        _CONNECTIONS, "NC_StdDomainUserSetLocation", 1,
    ),
    rule(
        "network", "18.6.14.1", "Logon scripts and policies come from the domain itself",
        "They run as the system on every machine.",
        *values(rf"{POLICIES}\Windows\NetworkProvider\HardenedPaths", **{
            r"\\*\NETLOGON": _HARDENED,
            r"\\*\SYSVOL": _HARDENED,
        }),
    ),
    _network(
        "18.6.21.1", "Wireless networks are left where there is a cable", _BRIDGE,
        rf"{POLICIES}\Windows\WcmSvc\GroupPolicy", "fMinimizeConnections", 3,
    ),
    _printing("18.7.2", "The spooler follows no links of others", _SPOOLER, _PRINTERS, "RedirectionguardPolicy", 1),
    _printing("18.7.3", "It speaks TCP to others", _SPOOLER, _RPC, "RpcUseNamedPipeProtocol", 0),
    _printing("18.7.4", "And says who it is", _SPOOLER, _RPC, "RpcAuthentication", 0),
    _printing("18.7.5", "It is spoken to by TCP", _SPOOLER, _RPC, "RpcProtocols", 5),
    _printing("18.7.6", "And asks who that is", _SPOOLER, _RPC, "ForceKerberosForRpc", 0),
    _printing("18.7.7", "It has no port of its own", "A firewall can leave that of RPC to RPC.", _RPC, "RpcTcpPort", 0),
    _printing(
        "18.7.8", "Only administrators install printer drivers", _DRIVERS,
        _POINT, "RestrictDriverInstallationToAdministrators", 1,
    ),
    _printing(
        "18.7.9", "Printers hand out colour profiles and no other files", _DRIVERS, _PRINTERS,
        "CopyFilesPolicy", 1,
    ),
    _printing(
        "18.7.10", "A new printer's driver asks before it is installed", _DRIVERS,
        _POINT, "NoWarningNoElevationOnInstall", 0,
    ),
    _printing("18.7.11", "So does one that is updated", _DRIVERS, _POINT, "UpdatePromptSettings", 0),
)  # fmt: skip
