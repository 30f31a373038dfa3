"""Access to the machine: files, processes, systemd, Windows. Knows no resource kind."""
