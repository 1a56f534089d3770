from hypothesis import given
from hypothesis import strategies as st

from runner_service.guest_log import MAX_BYTES, MAX_LINES, GuestLog, Level


def test_lines_are_kept_in_order_with_their_levels() -> None:
    log = GuestLog()
    log.add(Level.INFO, "one")
    log.add(Level.ERROR, "two")

    assert [(line.level, line.message) for line in log.lines()] == [
        ("info", "one"),
        ("error", "two"),
    ]
    assert log.dropped == 0


def test_lines_over_the_count_are_dropped_and_the_last_line_says_so() -> None:
    log = GuestLog()
    for number in range(MAX_LINES + 5):
        log.add(Level.INFO, str(number))

    lines = log.lines()
    assert len(lines) == MAX_LINES
    assert lines[-2].message == str(MAX_LINES - 2)
    assert lines[-1].message == "6 log lines of this call were dropped or cut."
    assert log.dropped == 5


def test_a_huge_line_is_cut_to_the_room_there_is() -> None:
    log = GuestLog()
    log.add(Level.INFO, "x" * (10 * MAX_BYTES))
    log.add(Level.INFO, "no room left")

    first, note = log.lines()
    assert first.message == "x" * MAX_BYTES
    assert note.level is Level.WARN
    assert log.dropped == 2


def test_a_guest_cannot_forge_lines_or_drive_a_terminal() -> None:
    log = GuestLog()
    log.add(Level.INFO, "a\r\nERROR forged\x1b[2J\x9b\x00\u2028b")

    assert log.lines()[0].message == "a\\r\\nERROR forged\\x1b[2J\\x9b\\x00\\u2028b"


@given(st.lists(st.text(max_size=400), max_size=300))
def test_whatever_a_guest_logs_stays_within_the_limits(messages: list[str]) -> None:
    log = GuestLog()
    for message in messages:
        log.add(Level.INFO, message)

    lines = log.lines()
    kept = [line.message for line in lines if line.level is Level.INFO]
    assert len(lines) <= MAX_LINES
    assert sum(len(message.encode()) for message in kept) <= MAX_BYTES
    assert not any(character < " " or character == "\x7f" for line in kept for character in line)
    assert (log.dropped == 0) == (len(kept) == len(messages))
