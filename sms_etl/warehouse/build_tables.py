"""The tables of builds: with and from what models were built, how tests went. Part of `tables.py`."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, DateTime, Integer, String, Table

from sms_etl.warehouse.metadata import metadata

build_context = Table(
    "build_context",
    metadata,
    Column("as_of_at", DateTime, nullable=False, comment="the moment the models were built for"),
    Column("timezone", String, nullable=False, comment="of business days and months"),
    Column(
        "settle_days",
        Integer,
        nullable=False,
        comment="SMS_ETL_SETTLE_DAYS: after so many days an open message has aged out",
    ),
    Column(
        "built_at", DateTime, nullable=False, comment="when the models were built, by the machine's clock"
    ),
    Column("project_digest", String, comment="of the files of models and seeds that were built"),
    Column("loaded_digest", String, comment="number of messages and bulks, and the sums of their prices"),
    Column("is_current", Boolean, comment="nothing was loaded since, and no blocking check failed"),
    Column("selection", String, comment="what `build --select` chose; null: all models were built"),
    schema="ops",
    comment="One row: what the models are built with, so that they are plain SQL.",
)

model_test = Table(
    "model_test",
    metadata,
    Column("tested_at", DateTime, nullable=False, comment="when it was last run"),
    Column("model", String, nullable=False, comment="the relation tested"),
    Column(
        "test", String, nullable=False, comment="name of the test; `built`: the last build ended in an error"
    ),
    Column("severity", String, nullable=False, comment="error (blocks publishing) or warn"),
    Column("failures", BigInteger, nullable=False, comment="rows that are wrong"),
    schema="ops",
    comment="One row a test, of the last build.",
)

failed_test_rows = Table(
    "failed_test_rows",
    metadata,
    Column("tested_at", DateTime, nullable=False, comment="when the test was last run"),
    Column("model", String, nullable=False, comment="the relation tested"),
    Column("test", String, nullable=False, comment="name of the test, as in `model_test`"),
    Column("number", Integer, nullable=False, comment="of the row, from 1 on"),
    Column(
        "row",
        JSON,
        nullable=False,
        comment="its uuids, figures and times as text, by column; never a text of the provider's; of the "
        "test `built` what the error said",
    ),
    schema="ops",
    comment="One row a row that a test of the last build found wrong: the first twenty of each test.",
)

model_state = Table(
    "model_state",
    metadata,
    Column("model", String, nullable=False, comment="the model by day"),
    Column(
        "signature", String, nullable=False, comment="of its SQL, that of what it is made of, and settings"
    ),
    Column("as_of_at", DateTime, nullable=False, comment="the moment it was built for"),
    Column("version", BigInteger, nullable=False, comment="counts its builds"),
    Column("days_since", BigInteger, nullable=False, comment="`model_day` has the builds after this one"),
    Column("rows", BigInteger, nullable=False, comment="it had after the build"),
    Column(
        "tested_digest", String, comment="of the project all of whose tests were run on it; null: not all"
    ),
    schema="ops",
    comment="One row a model by day: what it was built from, so that the next build makes the rest only.",
)

source_state = Table(
    "source_state",
    metadata,
    Column("model", String, nullable=False, comment="the model by day that was built"),
    Column("relation", String, nullable=False, comment="what it read"),
    Column("day", Date, comment="of the rows, in UTC; null: of all, or the version of a model by day"),
    Column("rows", BigInteger, nullable=False, comment="it had then; or the version"),
    Column("fingerprint", BigInteger, nullable=False, comment="of these rows"),
    schema="ops",
    comment="One row a model by day, relation and day: what it was built from.",
)

model_day = Table(
    "model_day",
    metadata,
    Column("model", String, nullable=False, comment="the model by day"),
    Column("of_column", String, nullable=False, comment="the column whose days these are"),
    Column("version", BigInteger, nullable=False, comment="the build that replaced rows of this day"),
    Column("day", Date, nullable=False, comment="a day whose rows were replaced"),
    schema="ops",
    comment="One row or more a day that a build replaced, for the models made of it.",
)

built_relation = Table(
    "built_relation",
    metadata,
    Column("relation", String, nullable=False, comment="a model or seed that was built here"),
    schema="ops",
    comment="One row a table or view that a build made: it is dropped once its file is deleted.",
)
