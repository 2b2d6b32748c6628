"""LOX24's API as the documentation says: a file for each kind of endpoint, and what they share."""
