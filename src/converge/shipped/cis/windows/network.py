"""Sections 18.6 and 18.7: the network, and printing."""

from __future__ import annotations

from converge.shipped.cis.windows.tables import POLICIES, Table, rule, values

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
    _network("18.6.4.1", "DNS over HTTPS (DoH) name resolution: Allow DoH", "The way to a name server is open to all.",
             _DNS, "DoHPolicy", 2),
    _network("18.6.4.2", "NetBIOS settings: Disable on public networks", _NEIGHBOURS, _DNS, "EnableNetbios", 2),
    _network("18.6.4.3", "Multicast name resolution (LLMNR) off", _NEIGHBOURS, _DNS, "EnableMulticast", 0),
    _network(
        "18.6.8.1", "Insecure guest logons: Disabled", "Anybody can be such a server.",
        rf"{POLICIES}\Windows\LanmanWorkstation", "AllowInsecureGuestAuth", 0,
    ),
    _network(
        "18.6.11.2", "Network Bridge on the DNS domain network: prohibited", _BRIDGE, _CONNECTIONS,
        "NC_AllowNetBridge_NLA", 0,
    ),
    _network(
        "18.6.11.3", "Internet Connection Sharing on the DNS domain network: prohibited", _BRIDGE, _CONNECTIONS,
        "NC_ShowSharedAccessUI", 0,
    ),
    _network(
        "18.6.11.4", "Domain users elevate when setting a network's location", "The firewall goes by that.",
        _CONNECTIONS, "NC_StdDomainUserSetLocation", 1,
    ),
    rule(
        "network", "18.6.14.1", "Hardened UNC Paths: NETLOGON and SYSVOL",
        "They run as the system on every machine.",
        *values(rf"{POLICIES}\Windows\NetworkProvider\HardenedPaths", **{
            r"\\*\NETLOGON": _HARDENED,
            r"\\*\SYSVOL": _HARDENED,
        }),
    ),
    _network(
        "18.6.21.1", "Minimize simultaneous connections: Prevent Wi-Fi when on Ethernet", _BRIDGE,
        rf"{POLICIES}\Windows\WcmSvc\GroupPolicy", "fMinimizeConnections", 3,
    ),
    _printing("18.7.2", "Configure Redirection Guard", _SPOOLER, _PRINTERS, "RedirectionguardPolicy", 1),
    _printing(
        "18.7.3", "RPC connection settings: Protocol for outgoing connections: RPC over TCP", _SPOOLER, _RPC,
        "RpcUseNamedPipeProtocol", 0,
    ),
    _printing(
        "18.7.4", "RPC connection settings: Authentication for outgoing connections: Default", _SPOOLER, _RPC,
        "RpcAuthentication", 0,
    ),
    _printing(
        "18.7.5", "RPC listener settings: Protocols for incoming connections: RPC over TCP", _SPOOLER, _RPC,
        "RpcProtocols", 5,
    ),
    _printing(
        "18.7.6", "RPC listener settings: Authentication for incoming connections: Negotiate", _SPOOLER, _RPC,
        "ForceKerberosForRpc", 0,
    ),
    _printing("18.7.7", "RPC over TCP port: 0", "A firewall can leave that of RPC to RPC.", _RPC, "RpcTcpPort", 0),
    _printing(
        "18.7.8", "Limits print driver installation to Administrators", _DRIVERS,
        _POINT, "RestrictDriverInstallationToAdministrators", 1,
    ),
    _printing(
        "18.7.9", "Queue-specific files: Limit to Color profiles", _DRIVERS, _PRINTERS,
        "CopyFilesPolicy", 1,
    ),
    _printing(
        "18.7.10", "Point and Print Restrictions: installing drivers: Show warning and elevation prompt", _DRIVERS,
        _POINT, "NoWarningNoElevationOnInstall", 0,
    ),
    _printing(
        "18.7.11", "Point and Print Restrictions: updating drivers: Show warning and elevation prompt", _DRIVERS,
        _POINT, "UpdatePromptSettings", 0,
    ),
)  # fmt: skip
