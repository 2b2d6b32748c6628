"""What a person runs: commands, what they print, and what only they need."""
