"""The metadata that all tables of the warehouse belong to, and the type of money."""

from sqlalchemy import MetaData, Numeric

metadata = MetaData()
Money = Numeric(18, 6)
