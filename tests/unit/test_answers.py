"""Items are handed over without botocore's copy: nobody can tell from the answer."""

import json
from base64 import b64encode
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from processors.aws.answers import take_items_as_they_come

NUMBERS = st.integers().map(str)
BINARY = st.binary(max_size=8).map(lambda value: b64encode(value).decode())
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.text(max_size=8).map(lambda value: {"S": value}),
        NUMBERS.map(lambda value: {"N": value}),
        st.booleans().map(lambda value: {"BOOL": value}),
        st.just({"NULL": True}),
        BINARY.map(lambda value: {"B": value}),
        st.lists(BINARY, min_size=1, max_size=2).map(lambda values: {"BS": values}),
        st.lists(st.text(max_size=4), min_size=1, max_size=2).map(lambda values: {"SS": values}),
        st.lists(NUMBERS, min_size=1, max_size=2).map(lambda values: {"NS": values}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(st.text(max_size=4), inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=6,
)
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["PK", "SK", "B", "sessions", 'a"B"']), VALUES, max_size=3), max_size=3
)
ANSWERS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    ITEMS.map(
        lambda items: (
            "BatchGetItem",
            {"Responses": {"t": items}, "UnprocessedKeys": {"t": {"Keys": items[:1], "ConsistentRead": True}}},
        )
    ),
    ITEMS.map(lambda items: ("BatchExecuteStatement", {"Responses": [{"TableName": "t", "Item": it} for it in items]})),
    st.just(("BatchExecuteStatement", {"Responses": [{"Error": {"Code": "DuplicateItem", "Message": "m"}}]})),
    ITEMS.map(lambda items: ("Query", {"Items": items, "Count": len(items), "LastEvaluatedKey": {"PK": {"S": "x"}}})),
    st.just(("Query", {})),
)


@given(answer=ANSWERS)
def test_an_answer_is_the_same_with_and_without_botocores_copy(answer: tuple[str, dict[str, Any]]) -> None:
    operation, content = answer

    found = [ask(client, operation, content) for client in (LEAN, USUAL)]

    assert found[0] == found[1]


def test_items_are_not_copied_value_by_value() -> None:
    unknown_to_botocore = {"Items": [{"PK": {"S": "x", "added later": "y"}}]}

    assert ask(LEAN, "Query", unknown_to_botocore)["Items"] == unknown_to_botocore["Items"]


def test_an_error_is_botocores() -> None:
    with pytest.raises(ClientError, match="no such index"):
        ask(LEAN, "Query", {"__type": "x#ValidationException", "message": "no such index", "Items": []}, status=400)


def make_client() -> Any:
    session = botocore.session.Session()
    return session.create_client(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


LEAN, USUAL = make_client(), make_client()
take_items_as_they_come(LEAN)


def ask(client: Any, operation: str, content: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
    """Make a request that is answered without a network."""

    def send(**_: object) -> Any:
        answer: Any = AWSResponse("http://none", status, HTTPHeaders(), None)
        answer._content = json.dumps(content).encode()  # what botocore reads of a response without a socket
        return answer

    requests: dict[str, tuple[Any, dict[str, Any]]] = {
        "BatchGetItem": (client.batch_get_item, {"RequestItems": {"t": {"Keys": [{"PK": {"S": "x"}}]}}}),
        "BatchExecuteStatement": (client.batch_execute_statement, {"Statements": [{"Statement": "SELECT"}]}),
        "Query": (client.query, {"TableName": "t"}),
    }
    call, arguments = requests[operation]
    client.meta.events.register_first("before-send.dynamodb", send, unique_id="answers")
    try:
        result: dict[str, Any] = call(**arguments)
        return result
    finally:
        client.meta.events.unregister("before-send.dynamodb", unique_id="answers")
