"""What a sandbox holds, and where it is kept."""
