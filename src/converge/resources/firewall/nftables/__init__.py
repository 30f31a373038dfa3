"""Rules of the firewall in nftables."""
