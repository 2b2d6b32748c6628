"""The operations overview: one page that says what needs attention, then how the last 28 days went."""
