"""Observers are told from a thread of their own: in order, all of it, and without ever holding up who tells them."""

from __future__ import annotations

import errno
import threading

import pytest

from converge.engine.events import Event, Notice, Watching
from converge.engine.observer_thread import ObserverThread

SOON = 10.0


class Reader:
    """Remembers what it was told; while ``condition`` is closed it does not read."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.flushes = 0
        self.condition = threading.Event()
        self.condition.set()
        self.reading = threading.Event()
        self.error: OSError | None = None

    def see(self, event: Event) -> None:
        self.reading.set()
        assert self.condition.wait(SOON)
        self.events.append(event)

    def flush(self) -> None:
        self.flushes += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def close(self) -> None:
        raise AssertionError("whoever made the observer closes it")


def unexpected(error: OSError) -> None:
    raise AssertionError(error)


def test_everything_is_told_in_order_and_the_rest_of_it_at_the_end() -> None:
    one, other = Reader(), Reader()
    behind = ObserverThread([one, other], unexpected)
    events: list[Event] = [Watching(number) for number in range(1000)]
    for event in events:
        behind.see(event)
        if event.total % 7 == 0:  # type: ignore[union-attr]  # all are Watching
            behind.flush()
    assert behind.close(SOON)
    assert one.events == other.events == events
    assert one.flushes


def test_a_reader_who_does_not_read_holds_up_nobody() -> None:
    reader = Reader()
    reader.condition.clear()
    behind = ObserverThread([reader], unexpected)
    for number in range(100):
        behind.see(Watching(number))
        behind.flush()
    assert not behind.close(0.01)
    reader.condition.set()
    assert behind.close(SOON)
    assert [event.total for event in reader.events] == list(range(100))  # type: ignore[union-attr]


def test_what_is_kept_for_one_who_never_reads_is_bounded_and_the_loss_is_told() -> None:
    reader, now = Reader(), [0.0]
    behind = ObserverThread([reader], unexpected, clock=lambda: now[0])
    reader.condition.clear()
    for number in range(10_000):
        behind.see(Watching(number))
    behind.flush()
    assert reader.reading.wait(SOON)
    now[0] = 5.0
    behind.see(Watching(10_000))  # a burst that is merely read slowly
    behind.flush()
    now[0] = 60.0
    for _ in range(3):
        behind.see(Watching(-1))
        behind.flush()
    reader.condition.set()
    assert behind.close(SOON)
    assert reader.events[:-1] == [Watching(number) for number in range(10_001)]
    assert reader.events[-1] == Notice("warning", "nobody read this for a while; 3 events were not kept for it")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_under_its_output_is_no_reason_to_stop(number: int) -> None:
    reader = Reader()
    behind = ObserverThread([reader], unexpected)
    reader.error = OSError(number, "full")
    behind.see(Watching(1))
    behind.flush()
    behind.see(Watching(2))
    assert behind.close(SOON)
    assert reader.events[-1] == Watching(2)


def test_any_other_error_is_passed_on_once() -> None:
    reader = Reader()
    errors: list[OSError] = []
    behind = ObserverThread([reader], errors.append)
    reader.error = BrokenPipeError(errno.EPIPE, "gone")
    behind.see(Watching(1))
    behind.flush()
    behind.see(Watching(2))
    assert behind.close(SOON)
    assert [error.errno for error in errors] == [errno.EPIPE]
