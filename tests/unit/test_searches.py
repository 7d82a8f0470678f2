"""Searches for sessions that events do not name in full stay within a budget per message."""

import pytest

from processors.register.searches import SEARCHES_A_MESSAGE, Delivery, within_budget


@pytest.mark.parametrize("count", [0, 1, SEARCHES_A_MESSAGE - 1, SEARCHES_A_MESSAGE])
def test_a_message_within_its_budget_is_searched_for_whole_however_often_it_was_received(count: int) -> None:
    assert within_budget(range(count), [Delivery(receive_count=3)] * count) == set(range(count))


def test_without_deliveries_there_is_no_budget() -> None:
    assert within_budget(range(10_000), None) == set(range(10_000))


def test_one_message_more_than_the_budget_leaves_one_search_to_the_next_delivery() -> None:
    count = SEARCHES_A_MESSAGE + 1

    assert within_budget(range(count), [Delivery()] * count) == set(range(SEARCHES_A_MESSAGE))


def test_a_flood_takes_nothing_from_another_message() -> None:
    flood, other = Delivery(), Delivery()
    deliveries = [flood] * 5_000 + [other] * 3

    chosen = within_budget(range(5_003), deliveries)

    assert {5_000, 5_001, 5_002} <= chosen
    assert len(chosen) < 5_003


@pytest.mark.parametrize("count", [501, 1_800, 2_000, 2_001, 7_000])
def test_four_deliveries_search_for_every_event_of_a_message(count: int) -> None:
    seen: set[int] = set()

    for receive_count in (1, 2, 3, 4):
        seen |= within_budget(range(count), [Delivery(receive_count)] * count)

    assert seen == set(range(count))


def test_a_message_is_searched_for_from_where_its_last_delivery_ended() -> None:
    count = SEARCHES_A_MESSAGE + 2

    chosen = within_budget(range(count), [Delivery(receive_count=2)] * count)

    assert set(range(count)) - chosen == {SEARCHES_A_MESSAGE - 2, SEARCHES_A_MESSAGE - 1}
