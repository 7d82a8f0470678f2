"""Assembly of a consumer: how events are read, as the settings say, and what may be shown of rejected ones."""

from functools import lru_cache
from pathlib import Path

from processors.intake.event_processor import EventProcessor
from processors.intake.vocabulary import Vocabulary, vocabulary
from processors.runtime import clock, wiring
from processors.runtime.settings import Settings, SettingsError
from providers.envelopes import BUNDLED, Providers


def event_processor(settings: Settings) -> EventProcessor:
    """Make what takes the events of a consumer.

    Raises:
        SettingsError: A mapping file or the keys of tokens are wrong.
    """
    providers = providers_of(settings)
    return EventProcessor(
        wiring.session_table(settings),
        wiring.message_queue(settings, settings.rejected_events_queue_url),
        vocabulary=lambda: vocabulary_of(providers),
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
    if not settings.provider_mappings_directory and not settings.token_jwks:
        return BUNDLED
    return _providers(settings.provider_mappings_directory, settings.token_jwks)


@lru_cache(maxsize=4)
def _providers(directory: str, jwks: str) -> Providers:
    from providers.mapping_files import MappingError  # noqa: PLC0415 (start-up: only those who configure it wait for it)
    from providers.provider_mappings import DIRECTORY, load_mappings  # noqa: PLC0415 (as above)
    from providers.tokens import TokenKeys, TokenKeysError  # noqa: PLC0415 (as above)

    try:
        verifier = TokenKeys(jwks) if jwks else None
        if not directory:
            return Providers(verifier=verifier)
        mappings = load_mappings(DIRECTORY, Path(directory))
    except TokenKeysError as error:
        raise SettingsError(f"the environment variable TOKEN_JWKS: {error}") from None
    except MappingError as error:
        raise SettingsError(f"PROVIDER_MAPPINGS_DIRECTORY: {error}") from None
    return Providers(lambda: mappings, verifier)


@lru_cache(maxsize=4)
def vocabulary_of(providers: Providers) -> Vocabulary:
    """Return what rejected events may show: what the canonical event and these mappings know."""
    return vocabulary(providers.mappings().expressions())
