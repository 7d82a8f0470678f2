"""Reads whole partitions of the sessions table or its index: up to 50 in one SELECT, or one by one by Query."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from processors.aws.conditional_writes import Item
from processors.aws.errors import raising_read_errors
from processors.aws.parallel import chunks, run_all

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INVERTED_INDEX = "GSI1_inverse"

PARTITIONS_A_SELECT = 50
"""Most partition keys of an IN. Source: DynamoDB Developer Guide, "PartiQL operators"."""

ITEMS_A_SELECT = 200
"""Items that a SELECT is read to, 20 pages of ten; more are read by a Query a partition, whose pages are of 1 MB."""


class Access(NamedTuple):
    """Partitions of the table or of its index, and the sort keys wanted of each."""

    hash_name: str
    range_name: str
    prefix: str | None
    names: tuple[str, ...]
    """The attributes to read; none: all."""

    @property
    def index_name(self) -> str | None:
        """The index whose partitions these are; None for the table's."""
        return INVERTED_INDEX if self.hash_name == "SK" else None


class PartitionReader:
    """Reads partitions; strongly consistent where they are the table's.

    Args:
        client: A DynamoDB client.
        table_name: The sessions table.
        batch_statements: Read up to 50 partitions a SELECT; otherwise each by a Query, for engines without PartiQL.
        concurrency: Most requests under way at a time.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str, *, batch_statements: bool, concurrency: int) -> None:
        self._client = client
        self._table_name = table_name
        self._read_some = self._select_some if batch_statements else self._query_some
        self._concurrency = concurrency

    def read(self, access: Access, partitions: Iterable[str], *, most: int) -> dict[str, list[Item] | None]:
        """Read many partitions.

        Args:
            access: What to read of them.
            partitions: Their keys.
            most: Items of one partition that are read; a larger one is not.

        Returns:
            The items by partition; None for a partition of more than `most`. Those without items are left out.

        Raises:
            ReadError: A read failed.
        """
        parts = chunks(sorted(partitions), PARTITIONS_A_SELECT)
        found: dict[str, list[Item] | None] = {}
        with raising_read_errors():
            for part in run_all(partial(self._read_some, access, most), parts, concurrency=self._concurrency):
                found |= part
        return found

    def pages(self, access: Access, partition: str) -> Iterator[list[Item]]:
        """Read one partition page by page, as the pages are asked for.

        Raises:
            ReadError: A read failed.
        """
        pages = self._query(access, partition)
        while True:
            with raising_read_errors():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _select_some(self, access: Access, most: int, partitions: Sequence[str]) -> dict[str, list[Item] | None]:
        """Read up to 50 partitions in one SELECT, or, where they hold many items, each by a Query."""
        found: dict[str, list[Item]] = defaultdict(list)
        for number, item in enumerate(self._select(access, partitions)):
            if number == ITEMS_A_SELECT:
                return self._query_some(access, most, partitions)
            found[item[access.hash_name]["S"]].append(item)
        return {partition: None if len(items) > most else items for partition, items in found.items()}

    def _select(self, access: Access, partitions: Sequence[str]) -> Iterator[Item]:
        source = f'"{self._table_name}"' + (f'."{access.index_name}"' if access.index_name else "")
        attributes = ", ".join(f'"{name}"' for name in access.names) or "*"
        places = ", ".join("?" * len(partitions))
        text = f'SELECT {attributes} FROM {source} WHERE "{access.hash_name}" IN [{places}]'  # noqa: S608 # our own names; values are parameters
        parameters: list[Any] = [{"S": partition} for partition in partitions]
        if access.prefix is not None:
            text += f' AND begins_with("{access.range_name}", ?)'
            parameters.append({"S": access.prefix})
        request: dict[str, Any] = {"Statement": text, "Parameters": parameters}
        if access.index_name is None:
            request["ConsistentRead"] = True
        while True:
            page: Any = self._client.execute_statement(**request)
            yield from page["Items"]
            if "NextToken" not in page:
                return
            request["NextToken"] = page["NextToken"]

    def _query_some(self, access: Access, most: int, partitions: Sequence[str]) -> dict[str, list[Item] | None]:
        """Read partition by partition."""
        found: dict[str, list[Item] | None] = {}
        for partition in partitions:
            items = list(islice((item for page in self._query(access, partition) for item in page), most + 1))
            if items:
                found[partition] = None if len(items) > most else items
        return found

    def _query(self, access: Access, partition: str) -> Iterator[list[Any]]:
        query: dict[str, Any] = {
            "KeyConditionExpression": f"{access.hash_name} = :hash",
            "ExpressionAttributeValues": {":hash": {"S": partition}},
        }
        if access.prefix is not None:
            query["KeyConditionExpression"] += f" AND begins_with({access.range_name}, :prefix)"
            query["ExpressionAttributeValues"][":prefix"] = {"S": access.prefix}
        if access.index_name is None:
            query["ConsistentRead"] = True
        else:
            query["IndexName"] = access.index_name
        for page in self._client.get_paginator("query").paginate(TableName=self._table_name, **query):
            yield page["Items"]
