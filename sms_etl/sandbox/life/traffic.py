"""What the traffic of the sandbox's company looks like: countries, prices, senders, texts. Data only.

Numbers come from ranges that regulators set aside for fiction where there are such (US, GB, FR, IE, SE), else
from 555-style blocks; addresses from the ranges for documentation (RFC 5737).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """A destination: its weight in the traffic, and prices per part by service, as decimal text."""

    iso2: str
    weight: int
    number: str
    """Pattern of a phone number; each `x` becomes a digit."""
    prices: dict[str, str]
    is_german: bool = False


def _prices(direct: str, economy: str, pro: str, voice: str) -> dict[str, str]:
    return {
        "direct": direct,
        "economy": economy,
        "pro": pro,
        "text2speech": voice,
        "text2speech_ssml": voice,
    }


COUNTRIES = (
    Country("DE", 580, "+4915555xxxxxx", _prices("0.0719", "0.049", "0.0785", "0.085"), is_german=True),
    Country("AT", 90, "+4366055550xxx", _prices("0.0684", "0.0512", "0.0749", "0.11"), is_german=True),
    Country("CH", 70, "+417955500xx", _prices("0.0675", "0.0498", "0.0712", "0.1205"), is_german=True),
    Country("FR", 40, "+3363998xxxx", _prices("0.0529", "0.041", "0.0588", "0.092")),
    Country("NL", 40, "+3165550xxxx", _prices("0.0813", "0.0645", "0.0899", "0.13")),
    Country("GB", 40, "+447700900xxx", _prices("0.0391", "0.0302", "0.0444", "0.075")),
    Country("IT", 30, "+3935555500xx", _prices("0.0622", "0.0485", "0.0679", "0.098")),
    Country("ES", 30, "+3465555500x", _prices("0.0575", "0.044", "0.0631", "0.09")),
    Country("PL", 30, "+48555500xxx", _prices("0.0257", "0.0199", "0.029", "0.07")),
    Country("US", 30, "+141555501xx", _prices("0.056", "0.0105", "0.06", "0.03")),
    Country("SE", 10, "+467017406xx", _prices("0.0535", "0.0427", "0.0592", "0.088")),
    Country("IE", 10, "+35320915xxxx", _prices("0.0645", "0.0501", "0.0707", "0.1")),
)
PUMPED = Country("AZ", 0, "+99440555xxxxx", _prices("0.2875", "0.2410", "0.3120", "0.35"))
"""An expensive destination that the company never sends to; see fraud.py."""
COUNTRY_BY_CODE = {
    "+49": "DE",
    "+43": "AT",
    "+41": "CH",
    "+33": "FR",
    "+31": "NL",
    "+44": "GB",
    "+39": "IT",
    "+34": "ES",
    "+48": "PL",
    "+1": "US",
    "+46": "SE",
    "+353": "IE",
    "+994": "AZ",
}
PRICES = {country.iso2: country.prices for country in (*COUNTRIES, PUMPED)}
OTHER_COUNTRY_PRICES = _prices("0.095", "0.08", "0.11", "0.15")
VOICE_SERVICES = frozenset({"text2speech", "text2speech_ssml"})
SERVICES = tuple(OTHER_COUNTRY_PRICES)
_VOICE_LANGS = "EN DE FR IT ES PL NL RO PT CS HU SV DA FI SK HR TR RU BG UK"
VOICE_LANGS = tuple(_VOICE_LANGS.split())
"""The documented languages of voice messages; null lets the provider find out."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of messages in the company: who sends what, by which service.

    A text is a pattern; `{code}`, `{order}`, `{name}`, `{day}`, `{hour}` and `{amount}` are filled in.
    """

    weight: int
    key_id: int
    sender_id: str
    services: dict[str, int]
    german: tuple[str, ...]
    english: tuple[str, ...]
    scheduled_share: float = 0.0
    has_reference: bool = False
    source: int | None = 0


LOGIN_KEY, SHOP_KEY, LOGISTICS_KEY, MARKETING_KEY, OPERATIONS_KEY = 8207, 8291, 8310, 8404, 8511

USES = (
    Use(
        weight=40,
        key_id=LOGIN_KEY,
        sender_id="Musterbank",
        services={"direct": 70, "pro": 30},
        german=(
            "{code} ist Ihr Code für die Anmeldung. Er gilt 5 Minuten. Geben Sie ihn niemandem weiter.",
            "Ihr Bestätigungscode lautet {code}.",
        ),
        english=(
            "{code} is your login code. It is valid for 5 minutes. Do not share it.",
            "Your verification code: {code}",
        ),
    ),
    Use(
        weight=25,
        key_id=LOGISTICS_KEY,
        sender_id="Paketdienst",
        services={"direct": 60, "economy": 40},
        german=(
            "Hallo {name}, Ihr Paket {order} kommt am {day} zwischen {hour} und 18 Uhr. Änderung: "
            "https://paket.example/{order}",
            "Paket {order} liegt für Sie bereit 📦 Abholung bis {day}, bitte Ausweis mitbringen.",
        ),
        english=(
            "Hi {name}, your parcel {order} arrives on {day} between {hour} and 18:00. Change it: "
            "https://paket.example/{order}",
            "Parcel {order} is ready for you 📦 Pick it up by {day}, please bring your ID.",
        ),
        has_reference=True,
    ),
    Use(
        weight=18,
        key_id=SHOP_KEY,
        sender_id="+4915555000001",
        services={"direct": 75, "economy": 25},
        german=(
            "Guten Tag {name}, vielen Dank für Ihre Bestellung {order} über {amount} €. Wir melden uns, "
            "sobald sie unterwegs ist. Fragen beantworten wir gern: antworten Sie einfach auf diese "
            "Nachricht.",
            "Erinnerung: Ihr Termin ist am {day} um {hour} Uhr. Absagen bitte bis zum Vortag.",
        ),
        english=(
            "Hello {name}, thank you for your order {order} of {amount} €. We will let you know when it is "
            "on its way. Any questions? Just reply to this message.",
            "Reminder: your appointment is on {day} at {hour}. Please cancel by the day before.",
        ),
        scheduled_share=0.06,
        has_reference=True,
        source=None,
    ),
    Use(
        weight=14,
        key_id=OPERATIONS_KEY,
        sender_id="Leitwarte",
        services={"direct": 30, "pro": 70},
        german=(
            "ALARM Anlage {order}: Druck außerhalb des Bereichs [{amount} bar]. Bereitschaft {name}, bitte "
            "melden.",
            "Entwarnung Anlage {order}.",
        ),
        english=(
            "ALARM plant {order}: pressure out of range [{amount} bar]. On call: {name}, please respond.",
            "All clear, plant {order}.",
        ),
    ),
    Use(
        weight=1,
        key_id=OPERATIONS_KEY,
        sender_id="+4915555000002",
        services={"text2speech": 80, "text2speech_ssml": 20},
        german=("Achtung. Störung an Anlage {order}. Bitte wählen Sie die Eins, um zu bestätigen.",),
        english=("Attention. Fault at plant {order}. Press one to confirm.",),
    ),
)

CAMPAIGN_TEXTS = (
    "Nur bis Sonntag: 20 % auf alles im Onlineshop mit dem Code HERBST20. https://shop.example/h "
    "Abmelden: STOP",
    "Schöne Grüße aus dem Musterladen! ❄ Der Winterkatalog ist da: https://shop.example/w Abmelden: STOP",
    "Liebe Kundin, lieber Kunde, wir ziehen um: Ab dem Ersten finden Sie uns in der Musterstraße 12, gleich "
    "neben dem Rathaus. Zur Eröffnung gibt es Kaffee, Kuchen und für jeden Einkauf über 50 € eine kleine "
    "Überraschung. Wir freuen uns auf Sie! Ihr Team vom Musterladen. Abmelden: STOP",
    "Letzte Chance 🎁 Heute bestellt, bis Heiligabend da. Versand kostenlos ab 30 €. https://shop.example/x "
    "Abmelden jederzeit mit STOP",
)
CAMPAIGN_SENDER = "Musterladen"
CAMPAIGN_SERVICES = {"economy": 60, "direct": 40}

NAMES = (
    "Frau Müller",
    "Herr Özdemir",
    "Frau Nowak",
    "Herr García",
    "Frau Weiß",
    "Herr Jönsson",
    "Alex Smith",
)
ADDRESSES = ("192.0.2.10", "192.0.2.11", "198.51.100.24", "203.0.113.77")

HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 6, 14, 22, 26, 26, 24, 20, 22, 24, 24, 22, 20, 17, 13, 9, 6, 3, 2)
"""Of a day in UTC."""
WEEKDAY_WEIGHTS = (20, 21, 20, 20, 18, 9, 5)
"""Monday first."""
