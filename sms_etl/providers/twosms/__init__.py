"""2SMS: which messages are meant, the call that expires and deletes them, and its answers."""
