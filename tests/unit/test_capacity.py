"""Capacity of the tables: by request unless chosen otherwise; provisioned with auto scaling; warm before a launch."""

from typing import Any

import pytest

from ops.validation.resolution import resolved

BOUNDS = {"MinWriteCapacity": "10", "MaxWriteCapacity": "100", "MinReadCapacity": "20", "MaxReadCapacity": "200"}
PROVISIONED = {"BillingMode": "PROVISIONED", **BOUNDS}
SET_BY_PARAMETERS = ("ProvisionedThroughput", "WarmThroughput")
DIMENSIONS = {
    ("table/${SessionsTable}", "dynamodb:table"),
    ("table/${SessionsTable}/index/GSI1_inverse", "dynamodb:index"),
    ("table/${ProjectionsTable}", "dynamodb:table"),
}


def holders(parameters: dict[str, str]) -> list[dict[str, Any]]:
    """The sessions table, its index and the projections table."""
    resources = resolved(parameters)
    sessions, projections = (resources[name]["Properties"] for name in ("SessionsTable", "ProjectionsTable"))
    return [sessions, *sessions["GlobalSecondaryIndexes"], projections]


def of_type(kind: str, parameters: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resolved(parameters).items() if each["Type"] == kind}


def test_by_default_tables_are_by_request_and_nothing_of_capacity_is_set() -> None:
    tables = of_type("AWS::DynamoDB::Table", {"PublishSessionEvents": "true"})

    assert {table["BillingMode"] for table in tables.values()} == {"PAY_PER_REQUEST"}
    assert [key for each in holders({}) for key in SET_BY_PARAMETERS if key in each] == []
    assert of_type("AWS::ApplicationAutoScaling::ScalableTarget", {}) == {}
    assert of_type("AWS::ApplicationAutoScaling::ScalingPolicy", {}) == {}


def test_provisioned_tables_and_the_index_begin_with_the_least_capacity() -> None:
    for each in holders(PROVISIONED):
        assert each["ProvisionedThroughput"] == {"ReadCapacityUnits": "20", "WriteCapacityUnits": "10"}
        assert "WarmThroughput" not in each
    sessions, _index, projections = holders(PROVISIONED)
    assert (sessions["BillingMode"], projections["BillingMode"]) == ("PROVISIONED", "PROVISIONED")


@pytest.mark.parametrize(("kind", "least", "most"), [("Write", "10", "100"), ("Read", "20", "200")])
def test_auto_scaling_keeps_each_table_and_the_index_between_the_bounds(kind: str, least: str, most: str) -> None:
    targets = of_type("AWS::ApplicationAutoScaling::ScalableTarget", PROVISIONED)
    policies = of_type("AWS::ApplicationAutoScaling::ScalingPolicy", PROVISIONED)
    scaled = {policy["ScalingTargetId"]["Ref"]: policy for policy in policies.values()}

    of_kind = {
        name: each for name, each in targets.items() if each["ScalableDimension"].endswith(f"{kind}CapacityUnits")
    }

    assert {
        (each["ResourceId"]["Fn::Sub"], each["ScalableDimension"].removesuffix(f":{kind}CapacityUnits"))
        for each in of_kind.values()
    } == DIMENSIONS
    for name, target in of_kind.items():
        assert (target["MinCapacity"], target["MaxCapacity"]) == (least, most)
        configuration = scaled[name]["TargetTrackingScalingPolicyConfiguration"]
        metric = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
        assert metric == f"DynamoDB{kind}CapacityUtilization"
        assert configuration["TargetValue"] == 70
    assert len({policy["PolicyName"]["Fn::Sub"] for policy in policies.values()}) == len(policies) == len(targets) == 6


def test_the_table_of_expiries_stays_by_request() -> None:
    agenda = resolved(PROVISIONED | {"PublishSessionEvents": "true"})["ExpiryAgendaTable"]["Properties"]

    assert agenda["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize(
    ("parameters", "warm"),
    [
        ({"WarmWriteUnits": "8000"}, {"WriteUnitsPerSecond": "8000"}),
        ({"WarmReadUnits": "24000"}, {"ReadUnitsPerSecond": "24000"}),
        (
            {"WarmWriteUnits": "8000", "WarmReadUnits": "24000"},
            {"WriteUnitsPerSecond": "8000", "ReadUnitsPerSecond": "24000"},
        ),
    ],
)
@pytest.mark.parametrize("mode", [{}, PROVISIONED], ids=["by request", "provisioned"])
def test_only_what_is_to_be_warmer_is_set_since_less_than_a_table_has_is_refused(
    parameters: dict[str, str], warm: dict[str, str], mode: dict[str, str]
) -> None:
    assert [each["WarmThroughput"] for each in holders(mode | parameters)] == [warm] * 3
