"""The scheduler's promises, one by one, in virtual time."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import pairwise

import pytest

from converge.conditions import Condition
from converge.core.change import Change, Changes
from converge.core.errors import Busy, NotYet, Permanent, Refusal, ResourceError
from converge.core.resource import Resource
from converge.core.trigger import Trigger
from converge.engine.events import Notice, Outcome
from converge.engine.scheduler import Scheduler, Task
from converge.engine.settings import Settings
from converge.graph.graph import build_graph
from converge.resources.file.file import File
from converge.resources.mount import Mount
from converge.resources.package import Package
from converge.testing.simulator import Pretended

WRONG: Changes = (Change("value", "wrong", "right"),)


class Bench:
    """Drives a scheduler by hand: nothing happens unless the test says so."""

    def __init__(self, *resources: Resource, planning: bool = False, **numbers: float) -> None:
        self.now = 100.0
        self.scheduler = Scheduler(
            build_graph(resources),
            Settings(**numbers),
            now=self.now,
            planning=planning,  # type: ignore[arg-type]  # numbers by name
        )
        self.started: list[tuple[str, str]] = []

    def take(self) -> list[Task]:
        tasks = self.scheduler.take(self.now)
        self.started = [(task.verb, task.node.resource.identity()) for task in tasks]
        return tasks

    def checked(self, task: Task, found: Changes = ()) -> None:
        self.scheduler.checked(task.node, found, began=self.now, now=self.now, took=0.0)

    def applied(self, task: Task, left: Changes = ()) -> None:
        self.scheduler.applied(task.node, task.state, left, began=self.now, now=self.now, took=0.0)

    def failed(self, task: Task, error: Exception | None = None, *, hung: bool = False) -> None:
        error = error or ResourceError("cannot")
        self.scheduler.failed(task.node, error, task.state, now=self.now, took=0.0, hung=hung)

    def settle(self) -> None:
        """Everything is found right."""
        while tasks := self.take():
            for task in tasks:
                self.checked(task)

    def outcomes(self) -> list[tuple[str, str]]:
        events = [event for event in self.scheduler.recorder.take() if isinstance(event, Outcome)]
        return [(event.id.partition(":")[2], event.status) for event in events]


def only(tasks: Sequence[Task]) -> Task:
    (task,) = tasks
    return task


def settled(*resources: Resource, **numbers: float) -> Bench:
    bench = Bench(*resources, **numbers)
    bench.settle()
    bench.outcomes()
    bench.now += 10
    return bench


# --- order ----------------------------------------------------------------------------------------------------


def test_independent_resources_start_together_and_dependents_wait() -> None:
    bench = Bench(Pretended("a"), Pretended("b"), Pretended("c", depends_on="pretended:a"))
    first = bench.take()
    assert bench.started == [("check", "a"), ("check", "b")]
    bench.checked(first[0])
    bench.take()
    assert bench.started == [("check", "c")], "b is still running, and holds up nobody"


def test_a_dependent_of_a_failed_one_is_skipped_and_runs_when_it_recovers() -> None:
    bench = Bench(Pretended("a"), Pretended("b", depends_on="pretended:a"))
    bench.failed(only(bench.take()))
    assert bench.take() == []
    assert bench.outcomes() == [("a", "failed"), ("b", "skipped")]
    bench.now += 5
    bench.checked(only(bench.take()))
    bench.checked(only(bench.take()))
    assert bench.outcomes() == [("a", "ok"), ("b", "ok")]


def test_a_noop_resource_is_never_applied_and_holds_back_nobody() -> None:
    bench = Bench(Pretended("a", noop=True), Pretended("b", depends_on="pretended:a"))
    bench.checked(next(task for task in bench.take() if task.node.resource.noop), WRONG)
    assert [verb for verb, _ in bench.started] == ["check", "check"]
    assert bench.take() == []
    assert ("a", "pending") in bench.outcomes()


def test_a_critical_failure_stops_the_first_convergence() -> None:
    bench = Bench(Pretended("a", critical=True), Pretended("b", depends_on="pretended:a"))
    bench.failed(only(bench.take()))
    assert bench.take() == []
    assert bench.outcomes() == [("b", "skipped"), ("a", "failed")]
    assert bench.scheduler.stopped == "pretended:a is critical, and failed"
    assert bench.scheduler.quiet()


def test_after_a_change_only_direct_dependents_are_looked_at_again() -> None:
    bench = settled(
        Pretended("a"),
        Pretended("b", depends_on="pretended:a"),
        Pretended("c", depends_on="pretended:b"),
        Pretended("d"),
    )
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()), WRONG)
    bench.applied(only(bench.take()))
    bench.checked(only(bench.take()))
    assert bench.started == [("check", "b")]
    assert bench.take() == []


# --- confirming dependencies ----------------------------------------------------------------------------------


def test_before_an_apply_what_it_stands_on_is_looked_at_again_from_the_top() -> None:
    bench = settled(Pretended("a"), Pretended("b", depends_on="pretended:a"), Pretended("c", depends_on="pretended:b"))
    bench.scheduler.mark("pretended:c", bench.now)
    bench.checked(only(bench.take()), WRONG)
    order = []
    while tasks := bench.take():
        order += bench.started
        for task in tasks:
            bench.applied(task) if task.verb == "apply" else bench.checked(task)
    assert order == [("check", "a"), ("check", "b"), ("apply", "c")]


def test_what_is_found_drifted_above_is_put_right_first() -> None:
    bench = settled(Pretended("package"), Pretended("config", depends_on="pretended:package"))
    bench.scheduler.mark("pretended:config", bench.now)
    bench.checked(only(bench.take()), WRONG)
    bench.checked(only(bench.take()), WRONG)
    package = only(bench.take())
    assert bench.started == [("apply", "package")]
    bench.applied(package)
    bench.take()
    assert bench.started == [("check", "config")], "its state may be another one by now"


# --- pace -----------------------------------------------------------------------------------------------------


def test_the_first_news_is_acted_on_at_once_and_what_follows_collapses_into_one_more_check() -> None:
    bench = settled(Pretended("a"))
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()))
    for _ in range(50):
        bench.now += 0.005
        bench.scheduler.mark("pretended:a", bench.now)
        assert bench.take() == []
    bench.now += 0.5
    bench.checked(only(bench.take()))
    assert bench.take() == []


def test_news_during_a_check_is_not_lost() -> None:
    bench = settled(Pretended("a"))
    bench.scheduler.mark("pretended:a", bench.now)
    task = only(bench.take())
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(task)
    assert bench.take() == []
    assert bench.scheduler.next_due() == pytest.approx(bench.now + 0.5)
    bench.now += 0.5
    assert only(bench.take()).verb == "check"


def test_our_own_apply_causes_at_most_one_check_and_no_outcome() -> None:
    bench = settled(Pretended("a"))
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()), WRONG)
    apply = only(bench.take())
    bench.scheduler.mark("pretended:a", bench.now)
    bench.applied(apply)
    bench.scheduler.mark("pretended:a", bench.now)
    assert bench.outcomes() == [("a", "changed")]
    bench.now += 0.5
    bench.checked(only(bench.take()))
    assert bench.take() == []
    assert bench.outcomes() == []


def test_a_flapping_resource_delays_no_other() -> None:
    bench = settled(Pretended("flapping"), Pretended("other"))
    for _ in range(100):
        bench.scheduler.mark("pretended:flapping", bench.now)
        for task in bench.take():
            bench.checked(task, WRONG)
            for applying in bench.take():
                bench.applied(applying)
        bench.now += 0.1
    assert bench.scheduler.nodes["pretended:flapping"].rate_limited
    bench.scheduler.mark("pretended:other", bench.now)
    assert only(bench.take()).node.resource.identity() == "other"


def test_a_rate_limit_is_told_once_in_an_episode() -> None:
    bench = settled(Pretended("a"))

    def tampered_for(seconds: int) -> list[str]:
        end = bench.now + seconds
        while bench.now < end:
            bench.scheduler.mark("pretended:a", bench.now)
            for task in bench.take():
                bench.checked(task, WRONG)
                for applying in bench.take():
                    bench.applied(applying)
            bench.now += 1
        return [event.text for event in bench.scheduler.recorder.take() if isinstance(event, Notice)]

    told = "drifts faster than it may be repaired, which is once in 10 s; the next repair is in 7 s"
    assert tampered_for(100) == [told]
    bench.now += 15  # a pause in which no whole burst is saved up is no end of it
    assert tampered_for(20) == []
    bench.now += 60
    assert tampered_for(100) == [told]


def test_a_burst_of_three_then_one_repair_in_ten_seconds() -> None:
    bench = settled(Pretended("a"))
    start, times = bench.now, []
    while bench.now < start + 35:
        bench.scheduler.mark("pretended:a", bench.now)
        for task in bench.take():
            bench.checked(task, WRONG)
            for applying in bench.take():
                times.append(round(bench.now - start))
                bench.applied(applying)
        bench.now += 1
    assert times == [0, 1, 2, 10, 20, 30]


def test_failures_back_off_and_then_it_is_noncompliant_until_news_comes() -> None:
    bench = Bench(Pretended("a"))
    start, times = bench.now, []
    while bench.scheduler.next_due() < float("inf"):
        bench.now = max(bench.now, bench.scheduler.next_due())
        for task in bench.take():
            times.append(bench.now - start)
            bench.failed(task)
    assert times == [0, 5, 15, 35]
    assert bench.scheduler.nodes["pretended:a"].noncompliant
    assert bench.scheduler.quiet()
    bench.now += 1000
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()))
    assert bench.outcomes()[-1] == ("a", "ok")


def test_polling_gives_a_noncompliant_resource_no_further_try_unless_something_else_differs() -> None:
    bench = Bench(Pretended("a", retry=0))
    bench.checked(only(bench.take()), WRONG)
    bench.failed(only(bench.take()))
    assert bench.outcomes() == [("a", "failed")]
    bench.now += 30
    bench.scheduler.mark("pretended:a", bench.now, polled=True)
    bench.checked(only(bench.take()), WRONG)
    assert bench.take() == []
    assert bench.outcomes() == []
    bench.now += 30
    bench.scheduler.mark("pretended:a", bench.now, polled=True)
    bench.checked(only(bench.take()), (Change("value", "another", "right"),))
    assert only(bench.take()).verb == "apply"


def test_a_hung_call_is_not_repeated_until_it_comes_back() -> None:
    bench = Bench(Pretended("a"))
    task = only(bench.take())
    bench.failed(task, hung=True)
    bench.now += 100
    assert bench.take() == []
    bench.scheduler.returned(task.node)
    assert only(bench.take()).verb == "check"


# --- what no check can judge, refresh ---------------------------------------------------------------------------


class Once(Pretended):
    def runs_once(self) -> bool:
        return True


def test_what_no_check_can_judge_is_applied_once() -> None:
    bench = Bench(Once("a"))
    bench.checked(only(bench.take()), WRONG)
    bench.applied(only(bench.take()))
    bench.now += 10
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()), WRONG)
    assert bench.take() == []
    assert bench.outcomes() == [("a", "changed")]


def test_a_refresh_comes_once_for_a_batch_of_changes() -> None:
    bench = settled(Pretended("a"), Pretended("b"), Pretended("s", on=("pretended:a", "pretended:b")))
    bench.scheduler.mark("pretended:a", bench.now)
    bench.scheduler.mark("pretended:b", bench.now)
    for task in bench.take():
        bench.checked(task, WRONG)
    for task in bench.take():
        bench.applied(task)
    bench.checked(only(bench.take()))
    refresh = only(bench.take())
    assert (refresh.verb, refresh.causes) == ("refresh", ("pretended:a", "pretended:b"))
    bench.scheduler.refreshed(refresh.node, refresh.causes, now=bench.now, took=0.0)
    assert bench.take() == []
    assert bench.outcomes() == [("a", "changed"), ("b", "changed"), ("s", "changed")]


def test_being_checked_is_no_reason_for_a_refresh() -> None:
    bench = settled(Pretended("a"), Pretended("s", on=("pretended:a",)))
    bench.scheduler.mark("pretended:a", bench.now)
    bench.settle()
    assert bench.outcomes() == []


# --- conditions, plan, reload, end ------------------------------------------------------------------------------


class Gate(Condition):
    def met(self) -> bool:
        return False

    def triggers(self) -> Sequence[Trigger]:
        return ()

    def __str__(self) -> str:
        return "the condition"


def test_a_condition_holds_back_a_resource_until_it_first_holds() -> None:
    bench = Bench(Pretended("a", condition=Gate()), Pretended("b", depends_on="pretended:a"))
    bench.scheduler.condition_answered(only(bench.take()).node, False, now=bench.now)
    assert bench.take() == []
    assert bench.outcomes() == [("a", "skipped"), ("b", "skipped")]
    assert bench.scheduler.converged_once()
    assert bench.scheduler.quiet()
    bench.scheduler.mark_condition("pretended:a", bench.now)
    bench.scheduler.condition_answered(only(bench.take()).node, True, now=bench.now)
    bench.settle()
    assert bench.outcomes() == [("a", "ok"), ("b", "ok")]


def test_plan_reports_what_is_missing_as_pending_after_whoever_brings_it() -> None:
    bench = Bench(Pretended("user"), Pretended("file", depends_on="pretended:user"), planning=True)
    bench.checked(only(bench.take()), WRONG)
    bench.failed(only(bench.take()), NotYet("no such user", "pretended:user"))
    events = bench.scheduler.recorder.take()
    assert [(e.status, e.reason) for e in events if isinstance(e, Outcome)] == [
        ("pending", None),
        ("pending", "after pretended:user"),
    ]


def test_plan_shows_the_refresh_that_a_change_will_cause() -> None:
    bench = Bench(Pretended("a"), Pretended("s", on=("pretended:a",)), planning=True)
    bench.checked(only(bench.take()), WRONG)
    bench.checked(only(bench.take()))
    assert bench.outcomes() == [("a", "pending"), ("s", "pending")]


def test_a_reload_looks_only_at_what_changed() -> None:
    bench = settled(Pretended("a"), Pretended("b"), Pretended("gone"))
    bench.scheduler.replace(build_graph([Pretended("a"), Pretended("b", retry=9), Pretended("new")]), bench.now)
    bench.take()
    assert bench.started == [("check", "b"), ("check", "new")]


def test_a_task_of_a_resource_that_has_left_the_blueprint_is_of_no_consequence() -> None:
    bench = Bench(Pretended("a"), Pretended("gone"))
    tasks = bench.take()
    bench.scheduler.replace(build_graph([Pretended("a")]), bench.now)
    for task in tasks:
        bench.checked(task)
    assert bench.outcomes() == [("a", "ok")]
    assert bench.scheduler.quiet()


def test_quiet_waits_for_retries_but_not_for_what_may_never_come() -> None:
    bench = Bench(Pretended("a", retry=1), Pretended("b", depends_on="pretended:a"))
    bench.failed(only(bench.take()))
    assert not bench.scheduler.quiet()
    bench.now += 5
    bench.failed(only(bench.take()))
    bench.take()
    assert bench.scheduler.quiet()


PERMANENT = [
    Permanent("it is masked"),
    NotYet("unit web.service does not exist", "package:web"),
    PermissionError(errno.EACCES, "denied"),
    OSError(errno.EROFS, "read-only"),
]


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: type(error).__name__)
def test_a_run_that_ends_by_itself_does_not_wait_for_what_waiting_does_not_change(error: Exception) -> None:
    bench = Bench(Pretended("a"), timeout=1.0)
    bench.failed(only(bench.take()), error)
    bench.take()
    assert bench.scheduler.quiet()
    assert bench.outcomes() == [("a", "failed")]


def test_what_waiting_does_not_change_is_tried_again_once_something_else_has_changed() -> None:
    bench = Bench(Pretended("a"), Pretended("b"), timeout=1.0)
    first, second = bench.take()
    bench.failed(first, Permanent("no such program"))
    bench.checked(second, WRONG)
    bench.applied(only(bench.take()))
    verbs = {task.node.resource.identity(): task for task in bench.take()}
    assert "a" in verbs, "b may have brought the program"
    bench.checked(verbs["a"])
    assert ("a", "ok") in bench.outcomes()


def test_a_daemon_looks_again_at_what_waiting_does_not_change() -> None:
    bench = Bench(Pretended("a"))
    bench.failed(only(bench.take()), Permanent("it is masked"))
    assert not bench.scheduler.quiet()
    bench.now += 5
    bench.checked(only(bench.take()))
    assert bench.outcomes() == [("a", "failed"), ("a", "ok")]


def test_what_waiting_may_help_is_waited_for() -> None:
    bench = Bench(Pretended("a"), timeout=1.0)
    bench.failed(only(bench.take()), ResourceError("the mirror does not answer"))
    assert not bench.scheduler.quiet()


# --- somebody else's work ------------------------------------------------------------------------------------------


def test_what_is_busy_is_asked_again_and_what_depends_on_it_waits_without_being_skipped() -> None:
    bench = Bench(Pretended("package"), Pretended("service", depends_on="pretended:package"))
    bench.failed(only(bench.take()), Busy("apt runs", again=1.0, at_most=10.0))
    assert bench.take() == []
    assert bench.outcomes() == []
    assert not bench.scheduler.quiet()
    bench.now += 1
    bench.settle()
    assert bench.outcomes() == [("package", "ok"), ("service", "ok")]


def test_what_stays_busy_too_long_is_a_failure() -> None:
    bench = Bench(Pretended("package", retry=0))
    while not (outcomes := bench.outcomes()):
        for task in bench.take():
            bench.failed(task, Busy("apt runs", again=1.0, at_most=10.0))
        bench.now += 1
    assert outcomes == [("package", "failed")]
    assert bench.now == 111.0


def test_what_it_waits_for_is_said_once_and_only_where_that_takes_long() -> None:
    bench = Bench(Pretended("package"))
    said = []
    for _ in range(2):
        for seconds in range(8):
            for task in bench.take():
                bench.failed(task, Busy("apt runs", again=1.0, at_most=100.0))
            for event in bench.scheduler.recorder.take():
                assert isinstance(event, Notice)
                said.append((seconds, event.id, event.text))
            bench.now += 1
        bench.settle()
        bench.scheduler.recorder.take()
        bench.now += 100
        bench.scheduler.mark("pretended:package", bench.now)
    assert said == [(3, "pretended:package", "waits: apt runs")] * 2


def test_plan_says_what_cannot_be_judged_now() -> None:
    bench = Bench(Pretended("package"), planning=True)
    bench.failed(only(bench.take()), Busy("apt runs"))
    assert bench.outcomes() == [("package", "skipped")]
    assert bench.scheduler.quiet()


def test_above_a_noop_resource_nothing_is_waited_for() -> None:
    bench = settled(
        Pretended("a"),
        Pretended("b", depends_on="pretended:a", noop=True),
        Pretended("c", depends_on="pretended:b"),
    )
    bench.scheduler.mark("pretended:c", bench.now)
    bench.checked(only(bench.take()), WRONG)
    assert only(bench.take()).verb == "apply"


def test_a_repair_that_had_to_wait_for_another_is_paid_for_once() -> None:
    bench = settled(Pretended("dir"), Pretended("file", depends_on="pretended:dir"))
    for _ in range(3):
        bench.scheduler.mark("pretended:file", bench.now)
        bench.checked(only(bench.take()), WRONG)
        bench.checked(only(bench.take()), WRONG)
        bench.applied(only(bench.take()))
        bench.checked(only(bench.take()), WRONG)
        bench.applied(only(bench.take()))
        bench.now += 1
        bench.settle()
        bench.now += 1
    assert bench.scheduler.nodes["pretended:file"].tokens == pytest.approx(0.4, abs=0.3)


def test_news_while_the_check_runs_does_not_put_off_the_repair() -> None:
    bench = settled(Pretended("a"))
    bench.scheduler.mark("pretended:a", bench.now)
    task = only(bench.take())
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(task, WRONG)
    assert only(bench.take()).verb == "apply"


def test_what_seems_to_have_lost_its_ground_waits_until_that_was_looked_at() -> None:
    bench = settled(Pretended("dir"), Pretended("file", depends_on="pretended:dir"))
    bench.scheduler.mark("pretended:file", bench.now)
    bench.failed(only(bench.take()), NotYet("no such directory", "pretended:dir"))
    directory = only(bench.take())
    assert bench.started == [("check", "dir")]
    bench.checked(directory, WRONG)
    bench.applied(only(bench.take()))
    bench.settle()
    assert bench.outcomes() == [("dir", "changed")], "no failure of the file was ever told"


@pytest.mark.parametrize("others_end", [True, False])
def test_a_second_look_comes_after_the_first_look_at_many_others_but_not_much_later(others_end: bool) -> None:
    bench = Bench(Pretended("hot"), *(Pretended(f"other{number}") for number in range(300)))
    hot, *others = bench.take()
    bench.checked(hot, WRONG)
    bench.applied(only(bench.take()))
    bench.now += 0.1
    bench.scheduler.mark("pretended:hot", bench.now)
    bench.now += 0.5
    assert bench.take() == [], "only our own doing may have been heard"
    if others_end:
        for task in others:
            bench.checked(task)
    waited = 0.0
    while not bench.take():
        bench.now += 0.1
        waited += 0.1
    assert bench.started == [("check", "hot")]
    assert waited < (0.65 if others_end else 2.5)
    assert others_end or waited > 1.5


class Kin(Pretended):
    """Of a kind whose members all hear of the work on one of them."""

    shared_source = True


def test_work_on_one_of_a_database_does_not_shorten_the_delays_of_the_others() -> None:
    bench = Bench(Kin("a"), Kin("b"))
    start = bench.now
    tried: dict[str, list[float]] = {"pretended:a": [], "pretended:b": []}
    while (due := bench.scheduler.next_due()) < start + 1000:
        bench.now = max(bench.now, due)
        for task in bench.take():
            if task.verb == "check":
                bench.checked(task, WRONG)
                continue
            tried[task.node.resource.id].append(bench.now - start)
            bench.failed(task)
            for id in tried:  # what was attempted is heard for both
                bench.scheduler.mark(id, bench.now + 0.1)
    assert all(node.noncompliant for node in bench.scheduler.nodes.values())
    delays = [later - sooner for times in tried.values() for sooner, later in pairwise(times)]
    assert delays[:3] == [5, 10, 20]
    assert min(delays[3:8]) >= 5
    assert all(len(times) <= 10 for times in tried.values()), tried


# --- automatic edges --------------------------------------------------------------------------------------------


def test_what_went_on_without_something_and_lacks_it_waits_for_it_after_all() -> None:
    condition = Gate()
    bench = Bench(Pretended("package", condition=condition), Pretended("service", uses=["pretended:package"]))
    bench.scheduler.condition_answered(only(bench.take()).node, met=False, now=bench.now)
    bench.failed(only(bench.take()), NotYet("there is no unit", needs="pretended:package"))
    assert bench.started == [("check", "service")]
    assert bench.take() == []
    assert bench.outcomes() == [("package", "skipped"), ("service", "skipped")]
    assert bench.scheduler.quiet()
    bench.scheduler.mark_condition("pretended:package", bench.now)
    bench.scheduler.condition_answered(only(bench.take()).node, met=True, now=bench.now)
    bench.checked(only(bench.take()))
    bench.checked(only(bench.take()))
    assert bench.outcomes() == [("package", "ok"), ("service", "ok")]


def test_what_lies_on_a_mount_waits_for_its_condition() -> None:
    mount = Mount("/srv/data", "/dev/sdz1", condition=Gate())
    bench = Bench(mount, File("/srv/data/x", content="x"))
    bench.scheduler.condition_answered(only(bench.take()).node, met=False, now=bench.now)
    assert bench.take() == [], "it would be written under the mount"


def test_an_apply_that_seemed_to_fail_is_followed_by_a_look_at_what_depends_on_it() -> None:
    bench = settled(Pretended("a"), Pretended("b", depends_on="pretended:a"))
    bench.scheduler.mark("pretended:a", bench.now)
    bench.checked(only(bench.take()), WRONG)
    bench.failed(only(bench.take()))
    bench.now += 5
    bench.checked(only(bench.take()))
    bench.take()
    assert bench.started == [("check", "b")]


# --- advice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planning", [False, True])
def test_nobody_is_advised_to_lose_something_after_one_look(planning: bool) -> None:
    bench = Bench(Pretended("a", retry=0), planning=planning)
    bench.failed(only(bench.take()), Refusal("holds other things; move them away"))
    assert bench.outcomes() == []
    assert bench.take() == []
    assert not bench.scheduler.quiet()
    bench.now += 0.5
    bench.failed(only(bench.take()), Refusal("holds other things; move them away"))
    assert bench.outcomes() == [("a", "failed")]


def test_what_the_second_look_contradicts_is_not_said() -> None:
    bench = Bench(Pretended("a", retry=0))
    bench.failed(only(bench.take()), Refusal("holds other things; move them away"))
    bench.now += 0.5
    bench.checked(only(bench.take()), WRONG)
    bench.applied(only(bench.take()))
    assert bench.outcomes() == [("a", "changed")]
    bench.scheduler.mark("pretended:a", bench.now + 10)
    bench.now += 10
    bench.failed(only(bench.take()), Refusal("holds other things; move them away"))
    assert bench.outcomes() == [], "the look before was another time"


def test_a_package_that_fails_holds_up_no_file_in_its_directory_that_is_there() -> None:
    """A mirror that does not answer is no reason to leave a configuration wrong."""
    file = File("/etc/web/x.conf", content="")
    bench = Bench(Package("web", state="latest"), file)
    bench.failed(only(bench.take()))
    task = only(bench.take())
    assert task.node.resource is file
    bench.failed(task, NotYet("there is no /etc/web", "file:/etc/web"))
    assert (file.identity(), "skipped") in bench.outcomes()
