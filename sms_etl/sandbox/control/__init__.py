"""How a sandbox is driven: switches, clock, control calls, and what stands before every endpoint."""
