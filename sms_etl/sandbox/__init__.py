"""A local stand-in for LOX24 and 2SMS, to try everything on without an account; see server.py."""
