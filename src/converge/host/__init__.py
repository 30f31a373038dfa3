"""How a machine is touched: files, processes, systemd, Windows. Knows no kind of resource."""
