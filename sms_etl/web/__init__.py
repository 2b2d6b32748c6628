"""Who may speak to a server of this machine: loopback addresses and requests of the same origin."""
