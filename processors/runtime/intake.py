"""Assembly of a consumer: how events are read, as the settings say, and what may be shown of rejected ones."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from processors.intake.event_processor import EventProcessor
from processors.intake.vocabulary import FIELD_KINDS, Vocabulary, vocabulary
from processors.runtime import clock, wiring
from processors.runtime.settings import Settings, SettingsError
from providers.envelopes import BUNDLED, Providers

if TYPE_CHECKING:
    from providers.mapping_format import MappingFile
    from providers.provider_mappings import ProviderMappings
    from providers.token_keys import TokenKeys


def event_processor(settings: Settings) -> EventProcessor:
    """Make what takes the events of a consumer.

    Raises:
        SettingsError: A mapping file or the keys of tokens are wrong.
    """
    providers = providers_of(settings)
    return EventProcessor(
        wiring.session_table(settings),
        wiring.message_queue(settings, settings.rejected_events_queue_url),
        vocabulary=lambda: vocabulary_of(providers.mappings),
        providers=providers,
        lifetimes=settings.lifetimes,
        max_event_age=settings.max_event_age,
        clock=clock.utc_now,
    )


def providers_of(settings: Settings) -> Providers:
    """Return the provider mappings: bundled, and those from `PROVIDER_MAPPINGS_DIRECTORY`; and the keys of tokens.

    Raises:
        SettingsError: A mapping file or the keys are wrong; for a file its line is named.
    """
    providers = BUNDLED
    if settings.provider_mappings_directory or settings.token_jwks:
        providers = _providers(settings.provider_mappings_directory, settings.token_jwks)
    return replace(
        providers,
        customer_namespace=settings.customer_namespace,
        customer_namespaces=settings.customer_namespaces,
    )


@lru_cache(maxsize=4)
def _providers(directory: str, jwks: str) -> Providers:
    from providers.mapping_files import MappingError  # noqa: PLC0415 (start-up: only those who configure it wait for it)
    from providers.provider_mappings import DIRECTORY, load_mappings  # noqa: PLC0415 (as above)

    keys = _token_keys(jwks) if jwks else None
    if not directory:
        return Providers(token_keys=keys)
    try:
        mappings = load_mappings(DIRECTORY, Path(directory))
    except MappingError as error:
        raise SettingsError(f"PROVIDER_MAPPINGS_DIRECTORY: {error}") from None
    return Providers(lambda: mappings, keys)


def _token_keys(jwks: str) -> "TokenKeys":
    from providers.key_sets import KeySetError  # noqa: PLC0415 (start-up: cryptography is for those who configure keys)
    from providers.token_keys import TokenKeys  # noqa: PLC0415 (as above)

    try:
        return TokenKeys(jwks)
    except KeySetError as error:
        raise SettingsError(f"the environment variable TOKEN_JWKS: {error}") from None


@lru_cache(maxsize=4)
def vocabulary_of(read_mappings: "Callable[[], ProviderMappings]") -> Vocabulary:
    """Return what rejected events may show: what the canonical event and these mappings know."""
    mappings = read_mappings()
    return vocabulary(mappings.member_names(), (path for mapping in mappings.mappings for path in _paths(mapping.file)))


def _paths(file: "MappingFile") -> Iterator[tuple[str, str]]:
    """Return where a mapping reads values: the canonical field, or `type`, with the expression."""
    yield from (("type", path.text) for path in file.type)
    for fields in (file.fields, *file.events):
        for name, paths in (*fields, *fields.client):
            if name in FIELD_KINDS:
                yield from ((name, path.text) for path in paths or ())
