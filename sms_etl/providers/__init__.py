"""LOX24 and 2SMS: everything that knows how a provider speaks."""
