"""What happens to messages and bulks: how an account's traffic is drawn, and what becomes of each message."""
