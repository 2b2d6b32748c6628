"""2SMS's API: the token and the call that expires and deletes."""
