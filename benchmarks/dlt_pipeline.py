"""dlt doing the same job: `GET /sms` into its own DuckDB file, incremental on created_at, merged on uuid.

Runs in an environment of its own, under the settings of rival.py. Set up as dlt's documentation recommends
for speed: whole pages yielded, Parquet as the loader's format, large buffers, no nesting. Two ways of paging:
`rest_api`, its declarative source, one page after the other along `hydra:next`; and
`parallel`, a resource that yields deferred pages, which dlt fetches in its pool of threads.

    python dlt_pipeline.py rest_api http://127.0.0.1:8030 /tmp/there
"""

import json
import sys
import time
from collections.abc import Callable, Iterator

import dlt
from dlt.extract import DltResource, DltSource
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_source

HEADERS = {"X-LOX24-AUTH-TOKEN": "1:bench", "Accept": "application/ld+json"}
MERGE = {"disposition": "merge", "strategy": "upsert"}


def by_rest_api(url: str) -> DltSource:
    """Return dlt's declarative REST source."""
    endpoint = {
        "path": "/sms",
        "params": {"_order[created_at]": "asc", "page": 1},
        "data_selector": "'hydra:member'",
        "paginator": {"type": "json_link", "next_url_path": "'hydra:view'.'hydra:next'"},
        "incremental": {"cursor_path": "created_at", "start_param": "created_at[gte]", "initial_value": 0},
    }
    sms = {
        "name": "sms",
        "primary_key": "uuid",
        "write_disposition": MERGE,
        "max_table_nesting": 0,
        "endpoint": endpoint,
    }
    return rest_api_source({"client": {"base_url": url, "headers": HEADERS}, "resources": [sms]})


def in_parallel(url: str) -> DltResource:
    """Return a resource whose pages after the first are deferred, as dlt's page on performance shows."""
    session = requests.Client().session
    session.headers.update(HEADERS)
    since = dlt.sources.incremental("created_at", initial_value=0)

    @dlt.resource(name="sms", primary_key="uuid", write_disposition=MERGE, max_table_nesting=0)
    def sms(created_at: dlt.sources.incremental[int] = since) -> Iterator[list[dict] | Callable]:
        def page(number: int) -> dict:
            query = {"created_at[gte]": created_at.start_value, "_order[created_at]": "asc", "page": number}
            return session.get(f"{url}/sms", params=query).json()

        @dlt.defer
        def later(number: int) -> list[dict]:
            return page(number)["hydra:member"]

        first = page(1)
        yield first["hydra:member"]
        for number in range(2, -(-first["hydra:totalItems"] // len(first["hydra:member"])) + 1):
            yield later(number)

    return sms


WAYS = {"rest_api": by_rest_api, "parallel": in_parallel}


def main() -> None:
    way, url, directory = sys.argv[1:4]
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=f"{directory}/pipelines",
        destination=dlt.destinations.duckdb(f"{directory}/dlt.duckdb"),
        dataset_name="raw",
    )
    source = WAYS[way](url)
    started = time.perf_counter()
    pipeline.run(source, loader_file_format="parquet")
    seconds = time.perf_counter() - started
    with pipeline.sql_client() as client:
        ((rows,),) = client.execute_sql("select count(*) from sms")
    print(json.dumps({"rows": rows, "seconds": seconds}))


if __name__ == "__main__":
    main()
