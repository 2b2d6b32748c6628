"""The wire limit: all pages of a listing, fetched by httpx with connections kept alive, and thrown away.

python -m benchmarks.wire http://127.0.0.1:8030 1000000 100 8
"""

import asyncio
import json
import sys
import time

import httpx


async def fetch_all(url: str, pages: int, concurrency: int) -> int:
    """Fetch so many pages; give the bytes."""
    numbers = iter(range(1, pages + 1))
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"Accept": "application/ld+json", "X-LOX24-AUTH-TOKEN": "1:bench"}
    async with httpx.AsyncClient(base_url=url, limits=limits, headers=headers, timeout=60) as client:

        async def worker() -> int:
            size = 0
            for number in numbers:
                query = {
                    "created_at[gte]": "0",
                    "created_at[lte]": "4000000000",
                    "_order[created_at]": "asc",
                    "page": str(number),
                }
                answer = await client.get("/sms", params=query)
                answer.raise_for_status()
                size += len(answer.content)
            return size

        return sum(await asyncio.gather(*(worker() for _ in range(concurrency))))


def main() -> None:
    url, rows, page_size, concurrency = sys.argv[1], *map(int, sys.argv[2:5])
    started = time.perf_counter()
    size = asyncio.run(fetch_all(url, -(-rows // page_size), concurrency))
    print(json.dumps({"seconds": time.perf_counter() - started, "bytes": size}))


if __name__ == "__main__":
    main()
