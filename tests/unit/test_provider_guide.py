"""docs/providers.md: what it lists is what there is, and its mapping works."""

import json
import re
from pathlib import Path

from providers.envelopes import Providers, read_body
from providers.mapping_files import parse_mapping
from providers.mapping_format import FieldPaths
from providers.mapping_functions import MappingFunctions
from providers.provider_mappings import ProviderMapping, ProviderMappings, bundled_mappings
from schemas.events import LoginEvent

GUIDE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_every_mapping_is_in_the_table() -> None:
    rows = {found[1]: row for row in GUIDE.splitlines() if (found := re.match(r"\| [A-Z0-9][^|]*\(`(\w+)`\) \|", row))}

    assert rows.keys() == {mapping.provider for mapping in bundled_mappings().mappings}


def test_the_mapping_it_shows_reads_an_event() -> None:
    [text] = re.findall(r"```toml mapping\n(.*?)```", GUIDE, re.DOTALL)
    mappings = ProviderMappings([ProviderMapping(parse_mapping(text, name="guide"))])
    event = {"kind": "auth.in", "who": "c1", "at": "2026-03-01T10:00:00Z", "session": "s1", "result": "ok", "id": "e"}

    login = read_body(json.dumps(event), sent_at=None, providers=Providers(lambda: mappings))

    assert isinstance(login, LoginEvent)
    assert (login.customer_id, login.session_id, login.source) == ("c1", "s1", "example")


def test_it_names_every_field_and_every_function_of_ours() -> None:
    fields = [name for name in FieldPaths.model_fields if name != "client"]
    functions = [name.removeprefix("_func_") for name in vars(MappingFunctions) if name.startswith("_func_")]

    assert [name for name in fields + functions if not re.search(rf"\b{name}\b", GUIDE)] == []
