"""Conditional writes, word for word: what holds them to the item read, and what of the item they touch."""

from dataclasses import replace

import pytest

from processors.aws.conditional_writes import Write, delete_request, put_request, statement, update_request
from schemas.keys import Key

KEY = Key("suuid#s", "c#c")
PROJECTION = Key("c#c")
OWNED = {"stays": "S", "changes": "S", "goes": "S", "number": "N"}
OLD = {
    "PK": {"S": "suuid#s"},
    "SK": {"S": "c#c"},
    "stays": {"S": "x"},
    "changes": {"S": "old"},
    "goes": {"S": "y"},
    "number": {"S": "of another type: another writer's"},
    "theirs": {"S": "z"},
    "version": {"N": "7"},
}
NEW = {"PK": {"S": "suuid#s"}, "SK": {"S": "c#c"}, "stays": {"S": "x"}, "changes": {"S": "new"}}
INSERT = Write(KEY, None, NEW, OWNED)
UPDATE = Write(KEY, OLD, NEW, OWNED)
OF_THE_ORIGINAL_SCHEMA = replace(UPDATE, old={name: value for name, value in OLD.items() if name != "version"})


def test_an_insert_writes_every_attribute_and_the_version_of_the_clock() -> None:
    made = statement("t", INSERT, at_least=3)

    assert made == {
        "Statement": """INSERT INTO "t" VALUE {'PK': ?, 'SK': ?, 'stays': ?, 'changes': ?, 'version': ?}""",
        "Parameters": [{"S": "suuid#s"}, {"S": "c#c"}, {"S": "x"}, {"S": "new"}, {"N": "3"}],
    }


def test_an_update_names_the_key_and_the_version_read() -> None:
    made = statement("t", UPDATE, at_least=3)

    assert made == {
        "Statement": 'UPDATE "t" SET "changes" = ? SET "version" = ? REMOVE "goes" '
        'WHERE "PK" = ? AND "SK" = ? AND "version" = ?',
        "Parameters": [{"S": "new"}, {"N": "8"}, {"S": "suuid#s"}, {"S": "c#c"}, {"N": "7"}],
    }


def test_an_item_without_version_is_updated_as_long_as_it_has_none() -> None:
    made = statement("t", OF_THE_ORIGINAL_SCHEMA, at_least=3)

    assert made["Statement"].endswith('WHERE "PK" = ? AND "SK" = ? AND "version" IS MISSING')
    assert made["Parameters"] == [{"S": "new"}, {"N": "3"}, {"S": "suuid#s"}, {"S": "c#c"}]


def test_a_table_without_sort_key_is_updated_by_partition_key_alone() -> None:
    write = Write(PROJECTION, {"PK": {"S": "c#c"}, "version": {"N": "7"}}, {"PK": {"S": "c#c"}}, OWNED)

    made = statement("t", write, at_least=3)

    assert made == {
        "Statement": 'UPDATE "t" SET "version" = ? WHERE "PK" = ? AND "version" = ?',
        "Parameters": [{"N": "8"}, {"S": "c#c"}, {"N": "7"}],
    }
    assert update_request(write, at_least=3)["Key"] == {"PK": {"S": "c#c"}}


def test_a_put_holds_only_where_there_is_no_item() -> None:
    assert put_request(INSERT, at_least=3) == {
        "Item": NEW | {"version": {"N": "3"}},
        "ConditionExpression": "attribute_not_exists(PK)",
    }


def test_an_update_request_holds_only_while_the_version_is_the_one_read() -> None:
    assert update_request(UPDATE, at_least=3) == {
        "Key": {"PK": {"S": "suuid#s"}, "SK": {"S": "c#c"}},
        "UpdateExpression": "SET #a0 = :a0, #a1 = :a1 REMOVE #a2",
        "ConditionExpression": "version = :version",
        "ExpressionAttributeNames": {"#a0": "changes", "#a1": "version", "#a2": "goes"},
        "ExpressionAttributeValues": {":a0": {"S": "new"}, ":a1": {"N": "8"}, ":version": {"N": "7"}},
    }


def test_an_update_request_of_an_item_without_version_holds_as_long_as_it_has_none() -> None:
    made = update_request(OF_THE_ORIGINAL_SCHEMA, at_least=3)

    assert made["ConditionExpression"] == "attribute_exists(PK) AND attribute_not_exists(version)"
    assert made["ExpressionAttributeValues"] == {":a0": {"S": "new"}, ":a1": {"N": "3"}}


def test_several_attributes_that_go_are_removed_in_one_clause() -> None:
    write = replace(UPDATE, new={name: value for name, value in NEW.items() if name != "stays"})

    assert update_request(write, at_least=3)["UpdateExpression"] == "SET #a0 = :a0, #a1 = :a1 REMOVE #a2, #a3"
    assert ' REMOVE "stays" REMOVE "goes" ' in statement("t", write, at_least=3)["Statement"]


@pytest.mark.parametrize(
    ("version", "at_least", "expected"),
    [({"N": "7"}, 3, "8"), ({"N": "7"}, 8, "8"), ({"N": "7"}, 9, "9"), ({"S": "x"}, 3, "3"), (None, 3, "3")],
    ids=["above the one read", "the same", "the clock is ahead", "of another type", "none"],
)
def test_the_version_rises_above_the_one_read_and_follows_the_clock(
    version: dict[str, str] | None, at_least: int, expected: str
) -> None:
    old = {"PK": {"S": "suuid#s"}} | ({} if version is None else {"version": version})

    assert Write(KEY, old, NEW, OWNED).next_version(at_least) == {"N": expected}


def test_a_version_of_another_type_is_what_the_update_is_held_to() -> None:
    write = replace(UPDATE, old=OLD | {"version": {"S": "x"}})

    assert statement("t", write, at_least=3)["Parameters"][-1] == {"S": "x"}
    assert update_request(write, at_least=3)["ExpressionAttributeValues"][":version"] == {"S": "x"}


KEY_AS_PARAMETERS = [{"S": "suuid#s"}, {"S": "c#c"}]


@pytest.mark.parametrize(
    ("old", "text", "parameters"),
    [
        (OLD, 'DELETE FROM "t" WHERE "PK" = ? AND "SK" = ? AND "version" = ?', [{"N": "7"}]),
        (OF_THE_ORIGINAL_SCHEMA.old, 'DELETE FROM "t" WHERE "PK" = ? AND "SK" = ? AND "version" IS MISSING', []),
    ],
    ids=["with version", "of the original schema"],
)
def test_a_delete_statement_names_the_key_and_the_version_read(
    old: dict[str, dict[str, str]], text: str, parameters: list[dict[str, str]]
) -> None:
    assert statement("t", Write(KEY, old, None, OWNED), at_least=3) == {
        "Statement": text,
        "Parameters": KEY_AS_PARAMETERS + parameters,
    }


def test_a_delete_request_holds_only_while_the_version_is_the_one_read() -> None:
    assert delete_request(Write(KEY, OLD, None, OWNED)) == {
        "Key": {"PK": {"S": "suuid#s"}, "SK": {"S": "c#c"}},
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": {"N": "7"}},
    }


def test_a_delete_request_of_an_item_without_version_holds_as_long_as_it_has_none() -> None:
    assert delete_request(Write(KEY, OF_THE_ORIGINAL_SCHEMA.old, None, OWNED)) == {
        "Key": {"PK": {"S": "suuid#s"}, "SK": {"S": "c#c"}},
        "ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(version)",
    }
