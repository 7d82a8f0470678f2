"""The report's page in a browser: what a person sees, on a phone, on a desk, on paper."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser

from ops.analytics.generator import write_archive
from ops.analytics.page import vega, write_page
from ops.analytics.page.figures import read_figures
from ops.analytics.page.render import render
from ops.analytics.page.sums import sums_of
from ops.analytics.page.verdict import verdict_of
from ops.analytics.problems import Kind, Problem
from ops.analytics.proof import Comparison, Difference, Proof
from ops.analytics.reading import Range, open_folder
from tests.page.browser import DESKTOP, PHONE, assert_looks_right, opened
from tests.page.sessions import NOON, SessionRow, TransitionRow, database

LIMIT = 5_000_000
"""Bytes that a page may have."""

HOSTILE = "</script><img src=x onerror=alert(1)><script>alert(1)</script>\"'&{{7*7}}"

pytestmark = pytest.mark.slow


def invented(*, days: int, sessions: int, hostile: str = "") -> tuple[list[SessionRow], list[TransitionRow]]:
    chance = Random(7)
    rows, transitions = [], []
    for number in range(sessions):
        started = NOON - timedelta(days=days * chance.random() ** 0.8)
        refreshed = started + timedelta(hours=chance.choice((0, 0, 1, 3)) * chance.random())
        over = refreshed + timedelta(hours=20 * chance.random() ** 3)
        row = SessionRow(
            session_id=f"s-{number}{hostile}",
            customer_id=f"c-{number % (sessions // 6 + 1)}{hostile}",
            started_at=started,
            last_login_time=refreshed,
            country=chance.choice(("DE", "FR", "NL", "PL", None, hostile or "SE")),
            source=chance.choice(("auth.example.com", "okta", "keycloak", hostile or "a-rather-long-name-of-a-source")),
            user_agent=chance.choice(
                ("ExampleApp/4.2 (Android 15)", "Mozilla/5.0 (X11; Linux)", "ExampleTV/9.1", hostile)
            ),
            over_at=over if over < NOON else None,
            over_reason=chance.choice(("user", "expired", "parent", hostile or "limit")) if over < NOON else None,
        )
        rows.append(row)
        late = int(started.timestamp() * 1000 + 40 + 3_000_000 * chance.random() ** 20)
        transitions.append(TransitionRow(id=str(number), kind="started", occurred_at=started, version=late))
        if row.over_at:
            version = int(over.timestamp() * 1000 + 200 * chance.random())
            transitions.append(TransitionRow(id=f"{number}/e", kind="ended", occurred_at=over, version=version))
    return rows, transitions


def page_of(
    path: Path,
    rows: list[SessionRow],
    transitions: list[TransitionRow],
    *,
    days: int,
    comparison: Comparison | None = None,
    problems: Sequence[Problem] = (),
) -> Path:
    with database(rows, transitions, since=NOON - timedelta(days=days), until=NOON) as connection:
        figures = read_figures(connection)
    proof = Proof(comparison).with_sums(sums_of(figures))
    assert all(found.is_equal for found in proof.sums)
    path.write_text(render(figures, verdict_of(proof), problems), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(tmp_path_factory.mktemp("month") / "report.html", *invented(days=30, sessions=2500), days=30)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, until = tmp_path_factory.mktemp("generated"), datetime(2026, 11, 1, tzinfo=UTC)
    write_archive(folder / "archive", sessions=3000, days=30, until=until)
    with open_folder(folder / "archive", Range(None, until), key=b"a key of a test", now=until) as archive:
        sums = write_page(archive, Proof(), folder / "report.html")
    assert all(found.is_equal for found in sums)
    return folder / "report.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows, transitions = invented(days=1, sessions=120, hostile=HOSTILE)
    found = (Difference(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),)
    comparison = Comparison(NOON, customers=1, live_sessions=1, differences=found, in_flight=found)
    return page_of(
        tmp_path_factory.mktemp("hostile") / "report.html",
        rows,
        transitions,
        days=1,
        comparison=comparison,
        problems=[Problem(Kind.NOT_AN_EVENT, 2, (HOSTILE,))],
    )


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_month_is_readable_on_any_screen(browser: Browser, month: Path, width: int, dark: bool) -> None:
    with opened(browser, month, width=width, dark=dark) as (page, complaints):
        assert_looks_right(page, complaints)
        assert page.locator("h1").count() == 1
        assert page.locator("table:not(:has(caption))").count() == 0
        assert page.locator("figure:not([aria-label])").count() == 0


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_an_empty_range_is_a_page_that_says_so(browser: Browser, tmp_path: Path, width: int) -> None:
    path = page_of(tmp_path / "report.html", [], [], days=1)

    with opened(browser, path, width=width) as (page, complaints):
        assert complaints == []
        assert "No session was live in this range." in page.inner_text("#live")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_text_of_events_is_shown_and_never_run(browser: Browser, hostile: Path, width: int) -> None:
    with opened(browser, hostile, width=width) as (page, complaints):
        page.hover("[data-picture=logins-source] svg")

        assert_looks_right(page, complaints)
        assert page.locator("img").count() == 0
        assert HOSTILE in page.inner_text("#logins")


@pytest.mark.parametrize(
    ("differences", "in_flight", "title"),
    [
        ((), (), "The archive agrees with the projections"),
        ((), (Difference("c-1", "s-1", "live", "unknown", "newer than the archive"),), "The archive agrees"),
        ((Difference("c-1", "s-1", "live", "over", "nothing explains it"),), (), "The archive differs"),
    ],
)
def test_the_box_says_whether_the_archive_agrees_and_what_differs(
    browser: Browser,
    tmp_path: Path,
    differences: tuple[Difference, ...],
    in_flight: tuple[Difference, ...],
    title: str,
) -> None:
    comparison = Comparison(NOON, customers=3, live_sessions=5, differences=differences, in_flight=in_flight)
    path = page_of(tmp_path / "report.html", *invented(days=1, sessions=20), days=1, comparison=comparison)

    with opened(browser, path, width=PHONE) as (page, complaints):
        said = page.inner_text(".proof")

        assert title in said
        assert ("nothing explains it" in said) == bool(differences)
        assert ("newer than the archive" in said) == bool(in_flight)
        assert_looks_right(page, complaints)


def test_bad_input_is_counted_and_named(browser: Browser, tmp_path: Path) -> None:
    hidden_id = f"suuid#session-1/c#{'0123456789abcdef' * 4}/1795600000003/ended"
    problems = [
        Problem(Kind.CUT_OFF, 1, ("year=2026/a.gz",)),
        Problem(Kind.NOT_AN_EVENT, 1234, ("a.gz:7", "a.gz:9")),
        Problem(Kind.TWO_CONTENTS, 1, (hidden_id,)),
    ]
    path = page_of(tmp_path / "report.html", *invented(days=1, sessions=20), days=1, problems=problems)

    with opened(browser, path, width=PHONE) as (page, complaints):
        said = page.inner_text(".left-out")

        assert "Lines that are not events (1,234)." in said
        assert {"year=2026/a.gz", "a.gz:7", "a.gz:9", hidden_id} <= set(said.split("\n"))
        assert_looks_right(page, complaints)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_generated_archive_becomes_a_page(browser: Browser, generated: Path, width: int) -> None:
    with opened(browser, generated, width=width) as (page, complaints):
        assert_looks_right(page, complaints)
        assert "Nothing to compare with" in page.inner_text(".proof")


def test_a_chosen_country_changes_the_pictures_and_a_second_choice_brings_all_back(
    browser: Browser, month: Path
) -> None:
    def peak() -> str:
        return str(
            next(text for text in page.locator("[data-picture=live] text").all_text_contents() if "peak" in text)
        )

    with opened(browser, month, width=DESKTOP) as (page, complaints):
        before = peak()
        page.select_option("#choose-country", label="FR")
        page.wait_for_function(f"!document.querySelector('[data-picture=live]').textContent.includes('{before}')")
        page.wait_for_timeout(300)
        chosen = peak()
        page.click("#reset")
        page.wait_for_function(f"document.querySelector('[data-picture=live]').textContent.includes('{before}')")

        assert int(chosen.split()[1]) < int(before.split()[1])
        assert complaints == []


def test_a_press_on_a_bar_chooses_its_source(browser: Browser, month: Path) -> None:
    with opened(browser, month, width=DESKTOP) as (page, complaints):
        page.locator("[data-picture=logins-source] .mark-rect path").first.click()

        assert page.input_value("#choose-source") != ""
        assert complaints == []


def test_the_pointer_shows_numbers_and_the_strip_zooms(browser: Browser, month: Path) -> None:
    with opened(browser, month, width=DESKTOP) as (page, complaints):
        page.locator("[data-picture=live]").evaluate("picture => picture.scrollIntoView({block: 'center'})")
        box = page.locator("[data-picture=live] svg").bounding_box()
        assert box
        labels = page.locator("[data-picture=live] .role-axis-label").all_text_contents()

        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
        page.wait_for_selector("#vg-tooltip-element.visible")
        shown = page.inner_text("#vg-tooltip-element")
        page.mouse.move(box["x"] + 200, box["y"] + box["height"] - 25)
        page.mouse.down()
        page.mouse.move(box["x"] + 260, box["y"] + box["height"] - 25, steps=4)
        page.mouse.up()
        page.wait_for_timeout(300)

        assert {"Live", "Started", "Over"} <= set(shown.replace("\t", "\n").split("\n"))
        assert page.locator("[data-picture=live] .role-axis-label").all_text_contents() != labels
        assert complaints == []


def test_paper_shows_every_row_of_the_tables_and_no_controls(browser: Browser, month: Path) -> None:
    with opened(browser, month, width=DESKTOP) as (page, complaints):
        page.emulate_media(media="print")

        assert not page.is_visible("#filters")
        assert not page.is_visible("nav")
        cut = "regions => regions.filter((one) => one.scrollHeight > one.clientHeight + 1).length"
        assert page.locator(".scroll").evaluate_all(cut) == 0
        assert page.pdf(format="A4").startswith(b"%PDF")
        assert complaints == []


def test_a_screen_that_is_turned_draws_the_pictures_anew(browser: Browser, month: Path) -> None:
    with opened(browser, month, width=DESKTOP) as (page, complaints):
        page.set_viewport_size({"width": PHONE, "height": 844})
        page.wait_for_function(
            "[...document.querySelectorAll('.picture')].every((one) => Number(one.dataset.width) === one.clientWidth)"
        )
        page.wait_for_timeout(200)

        assert_looks_right(page, complaints)


def test_the_page_is_small_and_refers_to_nothing_elsewhere(month: Path) -> None:
    text = month.read_text(encoding="utf-8")
    figures = json.loads(text.split('id="report">', 1)[1].split("</script>", 1)[0])["figures"]

    assert len(text.encode()) < LIMIT
    assert len(figures["live"]["number"]) > 1000
    assert "src=" not in text.split("<script", 1)[0]


def test_the_libraries_of_the_page_are_those_of_the_pinned_package() -> None:
    assert vega.SCRIPT.read_text(encoding="utf-8") == vega.bundle(), "run python -m ops.analytics.page.vega"
