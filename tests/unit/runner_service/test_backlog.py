from hypothesis import given
from hypothesis import strategies as st

from runner_service.reporting.backlog import Backlog
from runner_service.reporting.finished_execution import FinishedExecution
from tests.fixtures.finished_executions import finished


def numbers(batch: list[FinishedExecution]) -> list[int]:
    return [execution.execution_id.int for execution in batch]


BARE = finished(0).size_bytes()


def test_the_oldest_come_first_and_stay_until_they_are_dropped() -> None:
    backlog = Backlog(max_bytes=100 * BARE)
    for number in range(5):
        backlog.append(finished(number))

    batch = backlog.head(max_count=3, max_bytes=100 * BARE)
    assert numbers(batch) == numbers(backlog.head(max_count=3, max_bytes=100 * BARE)) == [0, 1, 2]
    backlog.drop(batch)
    assert numbers(backlog.head(max_count=9, max_bytes=100 * BARE)) == [3, 4]


def test_a_batch_is_bounded_by_bytes_but_never_empty() -> None:
    backlog = Backlog(max_bytes=100 * BARE)
    for number in range(5):
        backlog.append(finished(number))

    assert numbers(backlog.head(max_count=9, max_bytes=2 * BARE)) == [0, 1]
    assert numbers(backlog.head(max_count=9, max_bytes=1)) == [0]


def test_lines_go_before_records_and_the_oldest_first() -> None:
    backlog = Backlog(max_bytes=3 * BARE + 2100)
    for number in range(3):
        backlog.append(finished(number, lines=1))

    kept = backlog.head(max_count=9, max_bytes=100 * BARE)
    assert [len(execution.log_lines) for execution in kept] == [0, 1, 1]
    assert (backlog.lost_lines, backlog.lost_records) == (1, 0)


def test_records_go_when_there_are_no_lines_left_and_are_counted() -> None:
    backlog = Backlog(max_bytes=2 * BARE)
    for number in range(5):
        backlog.append(finished(number))

    assert numbers(backlog.head(max_count=9, max_bytes=100 * BARE)) == [3, 4]
    assert backlog.lost_records == 3


def test_dropping_a_batch_whose_records_were_given_up_meanwhile_keeps_the_others() -> None:
    backlog = Backlog(max_bytes=2 * BARE)
    backlog.append(finished(0))
    backlog.append(finished(1))
    batch = backlog.head(max_count=9, max_bytes=100 * BARE)
    backlog.append(finished(2))

    backlog.drop(batch)

    assert numbers(backlog.head(max_count=9, max_bytes=100 * BARE)) == [2]


@given(st.lists(st.integers(min_value=0, max_value=4), max_size=60))
def test_nothing_vanishes_uncounted(line_counts: list[int]) -> None:
    backlog = Backlog(max_bytes=10 * BARE)
    for number, lines in enumerate(line_counts):
        backlog.append(finished(number, lines=lines))

    kept = backlog.head(max_count=100, max_bytes=10**9)
    assert len(kept) + backlog.lost_records == len(line_counts)
    assert sum(execution.size_bytes() for execution in kept) <= 10 * BARE
    given_up = sum(line_counts[execution.execution_id.int] for execution in kept) - sum(
        len(execution.log_lines) for execution in kept
    )
    assert given_up <= backlog.lost_lines
