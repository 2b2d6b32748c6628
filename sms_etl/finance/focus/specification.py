"""Which columns a FOCUS file has, by version: name, type, whether it may be null, allowed values. Pure.

Written from FOCUS 1.4 and 1.0 (https://focus.finops.org). The columns stand in the order of the files: those
of FOCUS by name, then those of our own, which begin with `x_`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cached_property


class Version(StrEnum):
    """A version of FOCUS that can be written."""

    V1_4 = "1.4"
    V1_0 = "1.0"


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    MONEY = "money"
    """A decimal with at most six places."""
    QUANTITY = "quantity"
    """A whole number."""
    TIME = "time"
    """A moment in UTC."""
    CURRENCY = "currency"
    """Three letters of ISO 4217."""
    JSON = "json"
    """An object of plain values, as text."""


@dataclass(frozen=True)
class Column:
    """A column of a file."""

    name: str
    kind: Kind = Kind.TEXT
    is_nullable: bool = False
    allowed: tuple[str, ...] = ()
    """Empty: any value."""
    field: str = ""
    """What a charge calls it; by default the name in snake case."""
    is_empty: bool = False
    """Nothing of ours goes there."""

    @cached_property
    def source(self) -> str:
        """Return what a charge calls it."""
        return self.field or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()


CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
CHARGE_FREQUENCIES = ("One-Time", "Recurring", "Usage-Based")
PRICING_CATEGORIES = ("Standard", "Dynamic", "Committed", "Other")
SERVICE_CATEGORIES = (
    *("AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases"),
    *("Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things"),
    *("Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security", "Storage"),
    *("Web", "Other"),
)
CORRECTION_KINDS = ("price", "late", "moved", "currency", "removed")

_COMMON = (
    Column("BilledCost", Kind.MONEY),
    Column("BillingAccountId"),
    Column("BillingAccountName", is_nullable=True),
    Column("BillingCurrency", Kind.CURRENCY),
    Column("BillingPeriodEnd", Kind.TIME),
    Column("BillingPeriodStart", Kind.TIME),
    Column("ChargeCategory", allowed=CHARGE_CATEGORIES),
    Column("ChargeClass", is_nullable=True, allowed=("Correction",)),
    Column("ChargeDescription"),
    Column("ChargeFrequency", allowed=CHARGE_FREQUENCIES),
    Column("ChargePeriodEnd", Kind.TIME),
    Column("ChargePeriodStart", Kind.TIME),
    Column("ConsumedQuantity", Kind.QUANTITY, is_nullable=True),
    Column("ConsumedUnit", is_nullable=True),
    Column("ContractedCost", Kind.MONEY),
    Column("ContractedUnitPrice", Kind.MONEY, is_nullable=True),
    Column("EffectiveCost", Kind.MONEY),
    Column("InvoiceIssuerName"),
    Column("ListCost", Kind.MONEY),
    Column("ListUnitPrice", Kind.MONEY, is_nullable=True),
    Column("PricingCategory", is_nullable=True, allowed=PRICING_CATEGORIES),
    Column("PricingQuantity", Kind.QUANTITY, is_nullable=True),
    Column("PricingUnit", is_nullable=True),
    Column("RegionId", is_nullable=True),
    Column("RegionName", is_nullable=True),
    Column("ServiceCategory", allowed=SERVICE_CATEGORIES),
    Column("ServiceName"),
    Column("SkuId"),
    Column("SkuPriceId", is_nullable=True),
    Column("SubAccountId", is_nullable=True),
    Column("SubAccountName", is_nullable=True),
    Column("Tags", Kind.JSON, is_nullable=True),
)
_OF_1_4 = (
    Column("HostProviderName"),
    Column("InvoiceDetailId", is_nullable=True),
    Column("InvoiceId", is_nullable=True),
    Column("ServiceProviderName"),
    Column("ServiceSubcategory"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", Kind.JSON, is_nullable=True),
)
_OF_1_0 = (
    Column("CommitmentDiscountCategory", is_nullable=True, is_empty=True),
    Column("CommitmentDiscountId", is_nullable=True, is_empty=True),
    Column("CommitmentDiscountName", is_nullable=True, is_empty=True),
    Column("CommitmentDiscountStatus", is_nullable=True, is_empty=True),
    Column("CommitmentDiscountType", is_nullable=True, is_empty=True),
    Column("ProviderName", field="service_provider_name"),
    Column("PublisherName", field="service_provider_name"),
    Column("ResourceName", is_nullable=True, is_empty=True),
    Column("ResourceType", is_nullable=True, is_empty=True),
)
_OURS = (
    Column("x_CorrectionKind", is_nullable=True, allowed=CORRECTION_KINDS, field="correction_kind"),
    Column("x_MessageCount", Kind.QUANTITY, field="messages"),
)
_OF_THE_VALIDATOR = (
    Column("ChargeType", allowed=("Usage", "Adjustment"), field="charge_type"),
    Column("InvoiceIssuer", field="invoice_issuer_name"),
    Column("Provider", field="service_provider_name"),
    Column("Publisher", field="service_provider_name"),
    Column("ResourceID", is_nullable=True, is_empty=True),
)
"""What focus-validator 1.0.0 asks for although FOCUS 1.0 has no column of the name."""


def _by_name(*groups: tuple[Column, ...]) -> Iterator[Column]:
    return iter(sorted((column for group in groups for column in group), key=lambda each: each.name))


COST_AND_USAGE = {
    Version.V1_4: (*_by_name(_COMMON, _OF_1_4), *_OURS),
    Version.V1_0: (*_by_name(_COMMON, _OF_1_0), *_OURS, *_OF_THE_VALIDATOR),
}
BILLING_PERIOD = (
    Column("BillingPeriodCreated", Kind.TIME),
    Column("BillingPeriodEnd", Kind.TIME),
    Column("BillingPeriodLastUpdated", Kind.TIME),
    Column("BillingPeriodStart", Kind.TIME),
    Column("BillingPeriodStatus", allowed=("Open", "Closed")),
    Column("InvoiceIssuerName"),
    Column("x_Digest", is_nullable=True, field="digest"),
    Column("x_UnpricedMessageCount", Kind.QUANTITY, field="unpriced"),
)
"""Of FOCUS 1.4; 1.0 has no such dataset."""
