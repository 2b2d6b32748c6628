"""Codes are called by names that a reader knows."""

import pytest

from sms_etl.finance import vocabulary
from sms_etl.finance.locales import Locale, written_in


@pytest.mark.parametrize(
    ("tax", "english", "german"),
    [
        ("VAT 0.190000", "VAT 19 %", "VAT 19 %"),
        ("VAT reduced 0.081000", "VAT reduced 8.1 %", "VAT reduced 8,1 %"),
        ("0.200000", "20 %", "20 %"),
        ("reverse charge 0.000000", "reverse charge 0 %", "reverse charge 0 %"),
        ("VAT 1.000000", "VAT 100 %", "VAT 100 %"),
        ("no rate", "no rate", "no rate"),
    ],
)
def test_a_tax_is_called_by_its_label_and_its_rate_in_per_cent(tax: str, english: str, german: str) -> None:
    assert vocabulary.tax_name(tax) == english
    with written_in(Locale.DE):
        assert vocabulary.tax_name(tax) == german
