"""The warehouse: connections, tables, migrations and the published copy."""
