"""Read template.yaml as what a local stack has to create.

The SAM template is translated offline, as CloudFormation would do it; parameters are applied, conditions evaluated, and
what remains is checked against `ops.template.resource_types`. The local stack then creates the resources in order and
tells the attributes of each, of which the next ones are made:

    deployment = load_deployment(parameters={"EnableEventBridgeDirect": "true"})
    attributes: dict[tuple[str, str], Any] = {}
    for resource in deployment.resources_in_order():
        created = create[resource.type](resource, deployment.properties_of(resource, attributes))
        attributes |= {(resource.logical_id, name): value for name, value in created.items()}
    outputs = deployment.outputs(attributes)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from ops.template.errors import TemplateError, refuse_unknown
from ops.template.intrinsics import Attributes, Intrinsics
from ops.template.parameters import PseudoParameters, parameter_values
from ops.template.resource_types import NoEffect, select, support_of
from ops.template.translation import TEMPLATE_PATH, translate

_SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs"}
_RESOURCE_ATTRIBUTES = {
    *("Type", "Properties", "Condition", "DependsOn"),
    *("Metadata", "DeletionPolicy", "UpdateReplacePolicy"),  # of the deployment, not of the resource
}
_OUTPUT_ATTRIBUTES = {"Value", "Condition", "Description"}


@dataclass(frozen=True)
class Resource:
    """A resource that the local stack has to create.

    Attributes:
        logical_id: Its name in the template.
        type: As `AWS::SQS::Queue`.
        properties: Those the local stack honours, references still in place (`Deployment.properties_of` resolves them).
        depends_on: Logical ids of the resources that have to exist before.
        physical_name: What to call it where the template leaves the name to CloudFormation. Lower-case, because
            buckets have to be.
    """

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: frozenset[str]
    physical_name: str


class Deployment:
    """A translated template of which everything is understood.

    Args:
        document: The translated template, a CloudFormation document.
        parameters: Values for its parameters; those left out take their default.
        pseudo: Values for the pseudo parameters.

    Attributes:
        parameters: The values in effect, as text.
        without_effect: Logical id, or path of a property or output, to the reason why it changes nothing locally.

    Raises:
        TemplateError: The document holds something that the local stack does not understand, or resources that wait
            for each other.
    """

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str], pseudo: PseudoParameters) -> None:
        refuse_unknown(document, _SECTIONS, "template")
        self.parameters = parameter_values(document.get("Parameters", {}), parameters)
        self.without_effect: dict[str, str] = {}
        self._stack_name = pseudo.stack_name
        self._intrinsics = Intrinsics(self.parameters | pseudo.by_name(), document.get("Conditions", {}))
        self._definitions = self._present(document["Resources"], _RESOURCE_ATTRIBUTES, "Resources")
        resources = [self._resource(logical_id) for logical_id in self._definitions]
        self._resources = _in_order([resource for resource in resources if resource])
        self._outputs = self._available_outputs(document.get("Outputs", {}))

    def resources_in_order(self) -> list[Resource]:
        """Return every resource to create, each after those it depends on; the same order every time."""
        return list(self._resources)

    def resources_of(self, resource_type: str) -> list[Resource]:
        """Return the resources of one type, in the same order."""
        return [resource for resource in self._resources if resource.type == resource_type]

    def properties_of(self, resource: Resource, attributes: Attributes) -> dict[str, Any]:
        """Return the honoured properties of a resource with all references resolved.

        Raises:
            TemplateError: `attributes` lacks one that the resource refers to.
        """
        resolved = self.resolve(dict(resource.properties), attributes, where=resource.logical_id)
        return dict(resolved)

    def resolve(self, value: Any, attributes: Attributes, *, where: str) -> Any:
        """Put in a value for every intrinsic function in `value`.

        Raises:
            TemplateError: `attributes` lacks one that is referred to; the text begins with `where`.
        """
        return self._intrinsics.resolve(value, attributes, where=where)

    def outputs(self, attributes: Attributes) -> dict[str, str]:
        """Return the template's outputs, once all resources exist.

        Left out, and listed in `without_effect`, are those that name a resource without local effect.

        Raises:
            TemplateError: `attributes` lacks one that an output refers to.
        """
        return {name: self.resolve(v, attributes, where=f"Outputs.{name}") for name, v in self._outputs.items()}

    def _present(self, section: Mapping[str, Any], known: set[str], where: str) -> dict[str, Mapping[str, Any]]:
        """Return the entries of a section whose condition holds."""
        for name, entry in section.items():
            refuse_unknown(entry, known, f"{where}.{name}")
        return {
            name: entry
            for name, entry in section.items()
            if "Condition" not in entry or self._intrinsics.holds(entry["Condition"], where=f"{where}.{name}")
        }

    def _resource(self, logical_id: str) -> Resource | None:
        """Return the resource, or None where its type has no local effect."""
        definition = self._definitions[logical_id]
        properties = self._intrinsics.decide(definition.get("Properties", {}), where=logical_id)
        support = support_of(definition["Type"], where=logical_id)
        if isinstance(support, NoEffect):
            self.without_effect[logical_id] = support.reason
            return None
        selection = select(properties, support, where=logical_id)
        self.without_effect |= selection.without_effect
        return Resource(
            logical_id=logical_id,
            type=definition["Type"],
            properties=selection.honoured,
            depends_on=self._dependencies(logical_id, selection.honoured),
            physical_name=f"{self._stack_name}-{logical_id}".lower(),
        )

    def _dependencies(self, logical_id: str, properties: Mapping[str, Any]) -> frozenset[str]:
        referred = {name for name, _ in self._intrinsics.references(dict(properties), where=logical_id)}
        for name in referred:
            self._refuse_absent(name, logical_id)
            if reason := self._reason_not_created(name):
                raise TemplateError(f"{logical_id}: needs {name}, which is not created locally: {reason}.")
        explicit = self._definitions[logical_id].get("DependsOn", [])
        waits_for = {explicit} if isinstance(explicit, str) else set(explicit)
        for name in waits_for:
            self._refuse_absent(name, logical_id)
        return frozenset(referred | {name for name in waits_for if not self._reason_not_created(name)})

    def _available_outputs(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the outputs that only need resources which are created locally."""
        available = {}
        for output, entry in self._present(section, _OUTPUT_ATTRIBUTES, "Outputs").items():
            where = f"Outputs.{output}"
            reasons = []
            for name, _ in self._intrinsics.references(entry["Value"], where=where):
                self._refuse_absent(name, where)
                reasons += [reason] if (reason := self._reason_not_created(name)) else []
            if reasons:
                self.without_effect[where] = "; ".join(sorted(reasons))
            else:
                available[output] = entry["Value"]
        return available

    def _refuse_absent(self, name: str, where: str) -> None:
        if name not in self._definitions:
            raise TemplateError(
                f"{where}: refers to {name}, which is no parameter and no resource whose condition holds."
            )

    def _reason_not_created(self, logical_id: str) -> str | None:
        support = support_of(self._definitions[logical_id]["Type"], where=logical_id)
        return support.reason if isinstance(support, NoEffect) else None


def load_deployment(
    path: Path = TEMPLATE_PATH,
    parameters: Mapping[str, str] | None = None,
    pseudo: PseudoParameters | None = None,
) -> Deployment:
    """Translate a SAM template and check that the local stack understands all of it.

    Makes no network call and needs neither credentials nor a region in the environment.

    Args:
        path: The SAM template.
        parameters: Values for its parameters; those left out take their default.
        pseudo: Values for the pseudo parameters, the embedded engine's by default.

    Raises:
        TemplateError: The template cannot be translated, or holds what the local stack does not understand.
    """
    pseudo = pseudo or PseudoParameters()
    return Deployment(translate(path, parameters, pseudo), parameters or {}, pseudo)


def _in_order(resources: list[Resource]) -> list[Resource]:
    by_id = {resource.logical_id: resource for resource in resources}
    # Sorted, because the order of a set of texts differs from one process to the next.
    graph = {resource.logical_id: sorted(resource.depends_on) for resource in resources}
    try:
        return [by_id[logical_id] for logical_id in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        # graphlib names a circle against the direction of "needs".
        circle = " -> ".join(reversed(error.args[1]))
        raise TemplateError(f"Resources wait for each other: {circle}.") from None
