"""What `make bench` runs: a page server, our sync, its rivals, and the table and picture they end in."""
