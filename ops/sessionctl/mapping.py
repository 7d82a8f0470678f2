"""`sessionctl mapping`: what mapping files make of events of identity systems. Needs no stack."""

# ruff: noqa: PLC0415 (the models take half a second to import)

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson
from ops.sessionctl.screen import say, show_json

if TYPE_CHECKING:
    from providers.envelopes import Providers, ReadEvent

app = typer.Typer(no_args_is_help=True, help="See what mapping files make of events of identity systems.")


@app.callback()
def mapping() -> None:
    """Keep `test` a command of its own, however few there are."""


@app.command("test")
def show_reading(
    file: Annotated[Path, typer.Argument(help="The mapping file (TOML).", show_default=False)],
    event: Annotated[
        Path,
        typer.Argument(help="A message as the identity system sends it; - for standard input.", show_default=False),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a mapping makes of an event: the canonical event, ignored, or rejected and why.

    The event may be in any envelope, and a message may hold several. The bundled mappings are loaded as well, so
    that an event which two mappings recognise is found; one of the same provider is replaced by the file. Exit code 1
    where an event is rejected, or the mapping recognises none.

    Examples:
      sessionctl mapping test providers/mappings/okta.toml login.json
      sessionctl mapping test mine.toml - < event.json
    """
    provider, providers = _load(file)
    text = sys.stdin.read() if str(event) == "-" else event.read_text(encoding="utf-8")
    documents = [_document(reading, provider) for reading in _readings(text, providers)]
    if as_json:
        show_json(documents)
    else:
        for document in documents:
            typer.echo(json.dumps(document, indent=2))
    if not any(_is_of(document, provider) for document in documents):
        say(f"The mapping of {provider} recognises nothing here: see its [[recognise]].")
        raise typer.Exit(1)
    if any(document["outcome"] == "rejected" for document in documents):
        raise typer.Exit(1)


def _load(file: Path) -> "tuple[str, Providers]":
    from providers.envelopes import Providers
    from providers.mapping_files import MappingError, read_mapping_file
    from providers.provider_mappings import ProviderMapping, ProviderMappings, bundled_mappings

    try:
        mapping_file = read_mapping_file(file)
    except MappingError as error:
        raise CannotRunError(str(error)) from None
    others = (other for other in bundled_mappings().mappings if other.provider != mapping_file.provider)
    mappings = ProviderMappings([*others, ProviderMapping(mapping_file)])
    return mapping_file.provider, Providers(lambda: mappings)


def _readings(text: str, providers: "Providers") -> "list[ReadEvent]":
    from providers.envelopes import read_events

    return read_events(text.strip(), sent_at=None, providers=providers)


def _document(reading: "ReadEvent", provider: str) -> dict[str, Any]:
    from providers.envelopes import IgnoredEvent, RejectedEvent
    from schemas.events import to_json

    if isinstance(reading, RejectedEvent):
        return {"outcome": "rejected", "reason": reading.error.reason}
    if isinstance(reading, IgnoredEvent):
        return {"outcome": "ignored", "provider": reading.provider, "type": reading.event_type}
    return {"outcome": "read", "provider": reading.source, "event": to_json(reading)}


def _is_of(document: dict[str, Any], provider: str) -> bool:
    """Whether it is an event of this mapping; a rejection names it in its reason."""
    return provider in (document.get("provider"), *document.get("reason", "").replace(":", "").split())
