"""Makes one row of those that a table holds of one uuid: version 1 stored a row at each of its times."""

# ruff: noqa: S608 - names are those of our own tables


def merge_copies(table: str, uuids: str) -> tuple[str, ...]:
    """Return statements that keep of each uuid the row that was seen last, since the first sighting of any.

    Args:
        table: Of messages or bulks.
        uuids: A query that gives the uuids.
    """
    return (
        f"""
        update {table} as kept set first_seen_at = copies.first_seen_at
        from (
            select uuid, min(first_seen_at) as first_seen_at from {table}
            where uuid in ({uuids}) group by uuid
        ) as copies
        where kept.uuid = copies.uuid and kept.first_seen_at != copies.first_seen_at
        """,
        f"""
        delete from {table} where rowid in (
            select rowid from {table} where uuid in ({uuids})
            qualify row_number() over (partition by uuid order by last_seen_at desc, rowid desc) > 1
        )
        """,
    )


def merge_all_copies(table: str) -> tuple[str, ...]:
    """Return the same statements for whatever a table holds more than once."""
    return merge_copies(table, f"select uuid from {table} group by uuid having count(*) > 1")
