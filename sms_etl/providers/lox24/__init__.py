"""LOX24: client, paging, records and codes."""
