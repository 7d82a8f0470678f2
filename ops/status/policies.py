"""What the functions may do, beside what the deployed template says they may. Pure.

A permission that somebody took from a role by hand is not given back by the next deployment, which changes only what
changed in the template. So the policy is read from the template, and can be put back as it was.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ABSENT = object()
_NAMED = re.compile(r"\$\{([\w:.]+)\}")
_ARNS = {
    "AWS::SQS::Queue": "arn:{partition}:sqs:{account}:{name}",
    "AWS::DynamoDB::Table": "arn:{partition}:dynamodb:{account}:table/{name}",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::Events::EventBus": "arn:{partition}:events:{account}:event-bus/{name}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{account}:log-group:{name}:*",
    "AWS::KinesisFirehose::DeliveryStream": "arn:{partition}:firehose:{account}:deliverystream/{name}",
}
"""What `Fn::GetAtt ... Arn` gives. Source: Service Authorization Reference, "Resource types" of each service."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack, as CloudFormation describes it.

    Attributes:
        stack_id: Its ARN, which names partition, region and account.
        template: The processed template.
        parameters: Values of its parameters.
        resources: Physical ids by logical id.
    """

    stack_id: str
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    resources: Mapping[str, str]

    def policies(self, role: str) -> dict[str, dict[str, Any]]:
        """Return a role's policies as the template says, by name.

        Args:
            role: The role's logical id.
        """
        properties = self.template["Resources"][role].get("Properties", {})
        return {
            policy["PolicyName"]: policy["PolicyDocument"] for policy in self._resolved(properties.get("Policies", []))
        }

    def type_of(self, name: str) -> str:
        """Return a resource's type; empty for one that the template does not have."""
        return str(self.template.get("Resources", {}).get(name, {}).get("Type", ""))

    def property_of(self, name: str, property_name: str) -> Any:
        """Return a property of a resource as the template says it; None where it says nothing."""
        properties = self.template["Resources"][name].get("Properties", {})
        return self._resolved(properties.get(property_name))

    def roles(self) -> list[str]:
        """List the roles, by logical id."""
        return sorted(name for name in self.resources if self.type_of(name) == "AWS::IAM::Role")

    def _resolved(self, value: Any) -> Any:  # noqa: PLR0911 (a line per intrinsic function)
        """Replace intrinsic functions by what they stand for; what is not known stays as it is."""
        match value:
            case {"Ref": "AWS::NoValue"}:
                return _ABSENT
            case {"Ref": str(name)}:
                return self._value_of(name, value)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self._arn_of(name) or value
            case {"Fn::GetAtt": str(name)} if name.endswith(".Arn"):
                return self._arn_of(name.removesuffix(".Arn")) or value
            case {"Fn::Sub": str(text)}:
                return self._substituted(text)
            case {"Fn::If": [str(name), one, other]}:
                return self._resolved(one if self._holds({"Condition": name}) else other)
            case Mapping():
                return {key: kept for key, member in value.items() if (kept := self._resolved(member)) is not _ABSENT}
            case list():
                return [kept for member in value if (kept := self._resolved(member)) is not _ABSENT]
        return value

    def _value_of(self, name: str, otherwise: Any) -> Any:
        _, partition, _, region, account = self.stack_id.split(":")[:5]
        pseudo = {
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::StackName": self.stack_id.split("/")[1],
        }
        return pseudo.get(name) or self.parameters.get(name) or self.resources.get(name) or otherwise

    def _substituted(self, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            known = self._arn_of(name.removesuffix(".Arn")) if name.endswith(".Arn") else self._value_of(name, None)
            return str(known or found[0])

        return _NAMED.sub(value, text)

    def _arn_of(self, name: str) -> str | None:
        """Build the ARN of a resource; None for a kind that no policy of ours names."""
        form = _ARNS.get(self.type_of(name))
        physical = self.resources.get(name)
        if form is None or physical is None:
            return None
        _, partition, _, region, account = self.stack_id.split(":")[:5]
        physical = physical.rpartition("/")[2] if physical.startswith("http") else physical  # a queue's URL
        return form.format(partition=partition, account=f"{region}:{account}", name=physical)

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self._holds(self.template["Conditions"][name])
            case {"Fn::Equals": [one, other]}:
                return bool(self._operand(one) == self._operand(other))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": list(members)}:
                return all(map(self._holds, members))
            case {"Fn::Or": list(members)}:
                return any(map(self._holds, members))
        return False

    def _operand(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return self.parameters.get(name, "")
        return value


def missing_statements(wanted: Mapping[str, Any], actual: Mapping[str, Any] | None) -> list[str]:
    """Name the statements of a policy that are not there, or are not as they should be; by their Sid.

    Args:
        wanted: The policy as the template says.
        actual: The policy as IAM has it; None where it is gone.
    """
    there = {_sid(statement): _normal(statement) for statement in _statements(actual or {})}
    return [_sid(each) for each in _statements(wanted) if there.get(_sid(each)) != _normal(each)]


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _sid(statement: Mapping[str, Any]) -> str:
    return str(statement.get("Sid", "a statement without Sid"))


def _normal(value: Any) -> Any:
    """Bring a policy's values into one form: IAM takes one text for a list of one, and keeps no order."""
    match value:
        case Mapping():
            return {key: _normal(member) for key, member in value.items()}
        case list() if len(value) == 1:
            return _normal(value[0])
        case list():
            return sorted((_normal(member) for member in value), key=str)
    return value
