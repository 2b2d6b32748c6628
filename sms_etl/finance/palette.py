"""The colours of all pages, apart from the charts, so that a page without Vega need not import it."""

INK, QUIET, GRID, BAR, PARTING = "#1f2933", "#5b6672", "#e3e7eb", "#2f5f8f", "#ffffff"
SECOND, UNREPORTED = "#a8323e", "#a99bc2"
"""A second line in a chart; messages without a final report, where they are apart from open ones."""
OUTCOMES = {
    "delivered": "#2f5f8f",
    "open": "#e3e7eb",
    "cancelled": "#94a0ab",
    "expired": "#ecc25a",
    "rejected": "#b5622b",
    "failed": "#5c1420",
}
"""In the order they are stacked. People with any colour vision can tell them apart, and so can whoever prints
them in grey: no two are of about the same lightness, and a light line parts them."""
