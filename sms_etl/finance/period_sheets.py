"""Lays out the sheets that are not of one currency: delivery, budgets and what is left out. Pure."""

from sms_etl.finance import vocabulary, wording
from sms_etl.finance.figures import Figures
from sms_etl.finance.palette import OUTCOMES
from sms_etl.finance.sheets import Column, Drawing, Kind, Laid, Ratio, Series, Sheet, rounded_down, summed
from sms_etl.finance.side_lines import budget_totals, conversion_totals

DELIVERY = "Delivery"


def left_out(figures: Figures) -> Sheet:
    """Lay out the rows that could not be loaded."""
    left = figures.left_out
    return Sheet(
        "Not in the figures",
        f"Rows that could not be loaded, {wording.period(figures)}, {figures.basis.timezone}",
        (
            Column("What", Kind.TEXT, 12, "Total"),
            Column("State", Kind.TEXT, 12),
            Column("Why it could not be loaded", Kind.TEXT, 48),
            Column("Remarks", Kind.TEXT, 48),
            summed("Rows", Kind.COUNT, 10, (each.rows for each in left)),
            Column("Readable prices", Kind.TEXT, 24),
        ),
        [
            (
                "messages" if each.is_message else "bulks",
                "accepted" if each.is_accepted else "open",
                each.reason,
                wording.left_out_remarks(each),
                each.rows,
                wording.left_out_price(each),
            )
            for each in left
        ],
    )


def delivery(figures: Figures) -> Laid:
    """Lay out what became of the messages, a row a day, with a chart."""
    total = figures.delivery
    counted = [
        Column("Messages", Kind.COUNT, 12, total.messages, is_summed=True),
        Column("Parts", Kind.COUNT, 12, total.parts, is_summed=True),
        *(
            Column(name.capitalize(), Kind.COUNT, 12, getattr(total, name), is_summed=True)
            for name in OUTCOMES
        ),
        Column("Settled", Kind.COUNT, 12, total.settled, is_summed=True),
    ]
    table = Sheet(
        DELIVERY,
        f"Delivery by day, {wording.period(figures)}, {figures.basis.timezone}",
        (
            Column("Day", Kind.DAY, 12, "Total"),
            *counted,
            Column(
                "Delivery rate",
                Kind.SHARE,
                12,
                rounded_down(total.delivery_rate),
                ratio=Ratio("Delivered", "Settled"),
            ),
            Column(
                "Accepted delivery rate",
                Kind.SHARE,
                12,
                rounded_down(total.accepted_delivery_rate),
                ratio=Ratio("Delivered", "Messages"),
            ),
            Column(
                "Share settled",
                Kind.SHARE,
                12,
                rounded_down(total.share_settled),
                ratio=Ratio("Settled", "Messages"),
            ),
        ),
        [
            (
                each.day,
                each.delivery.messages,
                each.delivery.parts,
                *(getattr(each.delivery, name) for name in OUTCOMES),
                each.delivery.settled,
                rounded_down(each.delivery.delivery_rate),
                rounded_down(each.delivery.accepted_delivery_rate),
                rounded_down(each.delivery.share_settled),
            )
            for each in figures.days
        ],
    )
    drawn = [
        Series(name.capitalize(), at, colour) for at, (name, colour) in enumerate(OUTCOMES.items(), start=3)
    ]
    shape = {"type": "column", "subtype": "stacked"}
    return table, Drawing("Messages by day and outcome", drawn, shape)


def budgets(figures: Figures) -> Sheet:
    """Lay out budgets; nothing is added up, for `all cost centres` holds the others."""
    money = ("Budget", "Spent", "Forecast", "Forecast from", "Forecast to")
    return Sheet(
        "Budgets",
        f"Budgets, {wording.period(figures)}",
        (
            Column("Month", Kind.TEXT, 12),
            Column("Cost centre", Kind.TEXT, 24),
            Column("State", Kind.TEXT, 28),
            Column("Currency", Kind.TEXT, 10),
            *(Column(name, Kind.MONEY, 18) for name in money),
            Column("Used", Kind.SHARE, 12),
        ),
        [
            (
                f"{each.month:%Y-%m}",
                vocabulary.cost_centre_name(each.cost_centre),
                vocabulary.budget_state(each.status),
                each.currency,
                each.budget,
                each.spent,
                each.forecast,
                each.forecast_low,
                each.forecast_high,
                rounded_down(each.share_used),
            )
            for each in figures.budgets
        ],
    )


def budget_sums(figures: Figures) -> Sheet:
    """Lay out what the budgets of a quarter or year come to, a row a cost centre and currency."""
    return Sheet(
        "Budgets in all",
        f"Budgets of all months that have one, {wording.period(figures)}",
        (
            Column("Cost centre", Kind.TEXT, 24),
            Column("State", Kind.TEXT, 28),
            Column("Currency", Kind.TEXT, 10),
            Column("Months with a budget", Kind.COUNT, 14),
            *(Column(name, Kind.MONEY, 18) for name in ("Budget", "Spent", "Forecast")),
            Column("Used", Kind.SHARE, 12),
        ),
        [
            (
                vocabulary.cost_centre_name(each.cost_centre),
                vocabulary.budget_state(each.status),
                each.currency,
                each.months,
                each.budget,
                each.spent,
                each.forecast,
                rounded_down(each.share_used),
            )
            for each in budget_totals(figures.budgets)
        ],
    )


def conversion_sums(figures: Figures) -> Sheet:
    """Lay out what the cost of a quarter or year comes to in the reporting currency."""
    return Sheet(
        "Reporting currency in all",
        f"Cost by the rates of the days, {wording.period(figures)}",
        (
            Column("Currency", Kind.TEXT, 10),
            Column("Cost", Kind.MONEY, 18),
            Column("Without a rate", Kind.MONEY, 18),
            Column("Converted to", Kind.TEXT, 12),
            Column("Converted cost", Kind.MONEY, 18),
        ),
        [
            (
                each.currency,
                each.cost,
                each.cost_without_rate,
                each.reporting_currency,
                each.cost_reporting,
            )
            for each in conversion_totals(figures.conversions)
        ],
    )


def conversions(figures: Figures) -> Sheet:
    """Lay out the cost in the reporting currency."""
    return Sheet(
        "Reporting currency",
        f"Cost by the rates of the days, {wording.period(figures)}",
        (
            Column("Month", Kind.TEXT, 12),
            Column("Currency", Kind.TEXT, 10),
            Column("Cost", Kind.MONEY, 18),
            Column("Without a rate", Kind.MONEY, 18),
            Column("Converted to", Kind.TEXT, 12),
            Column("Converted cost", Kind.MONEY, 18),
            Column("Days without a rate", Kind.TEXT, 40),
        ),
        [
            (
                f"{each.month:%Y-%m}",
                each.currency,
                each.cost,
                each.cost_without_rate,
                each.reporting_currency,
                each.cost_reporting,
                wording.days_named(each.days_without_rate),
            )
            for each in figures.conversions
        ],
    )
