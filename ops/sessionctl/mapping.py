"""`sessionctl mapping`: draft a mapping file, and see what it makes of events of identity systems. Needs no stack."""

# ruff: noqa: PLC0415 (the models take half a second to import)

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.checkout import CHECKOUT
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson
from ops.sessionctl.screen import command_line, say, show_json

if TYPE_CHECKING:
    from providers.mapping_format import MappingFile

app = typer.Typer(
    no_args_is_help=True, help="Draft mapping files, and see what they make of events of identity systems."
)

_SAMPLES = CHECKOUT / "tests" / "events" / "providers"
_MAPPING = typer.Argument(help="The mapping file (TOML).", show_default=False)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The system, as `source` of its events is to say.", show_default=False)],
    samples: Annotated[
        list[Path], typer.Argument(help="Messages as the system sends them; files or folders.", show_default=False)
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the draft to this file; otherwise to standard output.")
    ] = None,
) -> None:
    """Draft a mapping file from sample events.

    Where the type, the id, the time, the customer, the session, and more may be is guessed from names and values.
    Each guess has a comment that says why, what else it may be, and what to check.

    Examples:
      sessionctl mapping new acme samples > acme.toml
      sessionctl mapping new acme login.json logout.json --output acme.toml
    """
    from ops.sessionctl.mapping_draft import draft
    from ops.sessionctl.mapping_samples import events_in, read_samples, readings
    from providers.provider_mappings import bundled_mappings

    read = read_samples(samples)
    known = {
        provider
        for sample in read
        for reading in readings(sample, bundled_mappings().mappings)
        for provider in reading.providers
    }
    made = draft(name, events_in(read), known - {name})
    if output is None:
        typer.echo(made.text, nl=False)
    elif output.exists():
        raise CannotRunError(f"{output} is there already: remove it, or name another file")
    else:
        output.write_text(made.text, encoding="utf-8")
    for question in made.open_questions:
        say(f"To settle: {question}.")
    where = str(output or f"{name}.toml")
    say(f"Next: settle each CHECK, then {command_line('mapping', 'test', where, *map(str, samples))}")


@app.command("test")
def show_reading(
    file: Annotated[Path, _MAPPING],
    samples: Annotated[
        list[Path],
        typer.Argument(
            help="A message as the system sends it (- for standard input), or folders and files of them.",
            show_default=False,
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a mapping makes of events: canonical ones, ignored, or rejected and why.

    Of one message the whole events are shown, of a folder or several a table with what is wrong below it. Messages may
    be in any envelope, and hold several events. The bundled mappings are loaded as well, so that an event which two
    mappings recognise is found; one of the same provider is replaced by the file. Beside `x.json` a file
    `x.expected.json` may say what is expected of it. Exit code 1 where an event is rejected or is not as expected, or
    no rule matches it.

    Examples:
      sessionctl mapping test providers/mappings/okta.toml login.json
      sessionctl mapping test mine.toml - < event.json
      sessionctl mapping test mine.toml samples
    """
    mapping = _load(file)
    if len(samples) > 1 or samples[0].is_dir():
        _test_several(mapping, samples, as_json=as_json)
    else:
        _test_one(mapping, samples[0], as_json=as_json)


@app.command("coverage")
def show_coverage(
    mappings: Annotated[
        list[str] | None, typer.Argument(help="Systems, or mapping files; all bundled ones where none is named.")
    ] = None,
    *,
    samples: Annotated[
        list[Path] | None, typer.Option("--samples", help="Files or folders of samples; default: those of the tests.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which types that a mapping names have no sample.

    Types are named by its rules, and by its list `ignored`.

    Examples:
      sessionctl mapping coverage
      sessionctl mapping coverage okta
      sessionctl mapping coverage mine.toml --samples samples
    """
    from ops.sessionctl.mapping_coverage import coverage
    from ops.sessionctl.mapping_samples import read_samples

    found = coverage(
        [_named(name) for name in mappings] if mappings else _bundled(), read_samples(samples or [_SAMPLES])
    )
    if as_json:
        show_json([each.document() for each in found])
        return
    for each in found:
        known = len(each.covered) + len(each.missing)
        missing = f"; without: {', '.join(each.missing)}" if each.missing else ""
        have = f"{len(each.covered)} of {known} types have a sample" if known else "its rules name no types"
        typer.echo(f"{each.provider}: {have}{missing}")


def _test_one(mapping: "MappingFile", sample: Path, *, as_json: bool) -> None:
    from ops.sessionctl.mapping_samples import Sample, read_samples, readings, with_bundled

    [message] = [Sample("-", sys.stdin.read().strip())] if str(sample) == "-" else read_samples([sample])
    found = readings(message, with_bundled(mapping))
    documents = [reading.document for reading in found]
    if as_json:
        show_json(documents)
    else:
        for document in documents:
            typer.echo(json.dumps(document, indent=2))
    if not any(mapping.provider in reading.providers for reading in found):
        say(f"The mapping of {mapping.provider} recognises nothing here: see its [[recognise]].")
        raise typer.Exit(1)
    if any(document["outcome"] == "rejected" for document in documents):
        raise typer.Exit(1)


def _test_several(mapping: "MappingFile", samples: list[Path], *, as_json: bool) -> None:
    from ops.sessionctl.mapping_samples import read_samples
    from ops.sessionctl.mapping_trial import show_rows, try_samples

    rows = try_samples(mapping, read_samples(samples))
    if as_json:
        show_json([row.document() for row in rows])
    else:
        show_rows(rows)
    if any(row.problem for row in rows):
        raise typer.Exit(1)


def _load(file: Path) -> "MappingFile":
    from providers.mapping_files import MappingError, read_mapping_file

    try:
        return read_mapping_file(file)
    except MappingError as error:
        raise CannotRunError(str(error)) from None


def _bundled() -> "list[MappingFile]":
    from providers.provider_mappings import bundled_mappings

    return [mapping.file for mapping in bundled_mappings().mappings]


def _named(name: str) -> "MappingFile":
    bundled = {file.provider: file for file in _bundled()}
    if name in bundled:
        return bundled[name]
    if not name.endswith(".toml"):
        raise CannotRunError(f"{name} is neither a mapping file (.toml) nor one of {', '.join(bundled)}")
    return _load(Path(name))
