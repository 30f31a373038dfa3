"""Section 5 of the benchmark for Windows 11: services that a workstation needs none of."""

from __future__ import annotations

from converge.blueprints.run import Run
from converge.shipped.cis.windows.tables import LEVEL_2, WINDOWS_11, Declaration, Guard, Options, Rule, rule

_SERVICES: dict[str, tuple[str, str, bool]] = {
    "5.1": ("BTAGService", "Bluetooth Audio Gateway Service", True),
    "5.2": ("bthserv", "Bluetooth Support Service", True),
    "5.3": ("Browser", "Computer Browser", False),
    "5.4": ("MapsBroker", "Downloaded Maps Manager", True),
    "5.5": ("lfsvc", "Geolocation Service", True),
    "5.6": ("IISADMIN", "IIS Admin Service", False),
    "5.7": ("irmon", "Infrared monitor service", False),
    "5.8": ("SharedAccess", "Internet Connection Sharing (ICS)", False),
    "5.9": ("lltdsvc", "Link-Layer Topology Discovery Mapper", True),
    "5.10": ("LxssManager", "LxssManager", False),
    "5.11": ("FTPSVC", "Microsoft FTP Service", False),
    "5.12": ("MSiSCSI", "Microsoft iSCSI Initiator Service", True),
    "5.13": ("sshd", "OpenSSH SSH Server", False),
    "5.14": ("PNRPsvc", "Peer Name Resolution Protocol", True),
    "5.15": ("p2psvc", "Peer Networking Grouping", True),
    "5.16": ("p2pimsvc", "Peer Networking Identity Manager", True),
    "5.17": ("PNRPAutoReg", "PNRP Machine Name Publication Service", True),
    "5.18": ("Spooler", "Print Spooler", True),
    "5.19": ("wercplsupport", "Problem Reports and Solutions Control Panel Support", True),
    "5.20": ("RasAuto", "Remote Access Auto Connection Manager", True),
    "5.21": ("SessionEnv", "Remote Desktop Configuration", True),
    "5.22": ("TermService", "Remote Desktop Services", True),
    "5.23": ("UmRdpService", "Remote Desktop Services UserMode Port Redirector", True),
    "5.24": ("RpcLocator", "Remote Procedure Call (RPC) Locator", False),
    "5.25": ("RemoteRegistry", "Remote Registry", True),
    "5.26": ("RemoteAccess", "Routing and Remote Access", False),
    "5.27": ("LanmanServer", "Server", True),
    "5.28": ("simptcp", "Simple TCP/IP Services", False),
    "5.29": ("SNMP", "SNMP Service", True),
    "5.30": ("sacsvr", "Special Administration Console Helper", False),
    "5.31": ("SSDPSRV", "SSDP Discovery", False),
    "5.32": ("upnphost", "UPnP Device Host", False),
    "5.33": ("WMSvc", "Web Management Service", False),
    "5.34": ("WerSvc", "Windows Error Reporting Service", True),
    "5.35": ("Wecsvc", "Windows Event Collector", True),
    "5.36": ("WMPNetworkSvc", "Windows Media Player Network Sharing Service", False),
    "5.37": ("icssvc", "Windows Mobile Hotspot Service", False),
    "5.38": ("WpnService", "Windows Push Notifications System Service", True),
    "5.39": ("PushToInstall", "Windows PushToInstall Service", True),
    "5.40": ("WinRM", "Windows Remote Management", True),
    "5.41": ("W3SVC", "World Wide Web Publishing Service", False),
    "5.42": ("XboxGipSvc", "Xbox Accessory Management Service", False),
    "5.43": ("XblAuthManager", "Xbox Live Auth Manager", False),
    "5.44": ("XblGameSave", "Xbox Live Game Save", False),
    "5.45": ("XboxNetApiSvc", "Xbox Live Networking Service", False),
}
"""By number: the service, what Windows shows for it, and whether it is of level 2."""

_GUARDED: dict[str, Guard] = {
    "sshd": "ssh",
    "SessionEnv": "remote-desktop",
    "TermService": "remote-desktop",
    "UmRdpService": "remote-desktop",
    "WinRM": "winrm",
}


def _disabled(name: str) -> Declaration:
    def declare(r: Run, _: Options) -> None:
        r.service(name, state="stopped", startup_type="disabled")

    return declare


RULES: tuple[Rule, ...] = tuple(
    rule(
        "services", f"W11-{number}", f"{shown} ({name}): Disabled", "What does not run cannot be attacked.",
        _disabled(name), guard=_GUARDED.get(name), extra=f"{WINDOWS_11}, {LEVEL_2}" if second else WINDOWS_11,
    )
    for number, (name, shown, second) in _SERVICES.items()
)  # fmt: skip
