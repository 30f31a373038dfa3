"""The scheduler: keeps the set of dirty resources empty. Pure bookkeeping, without clock, threads or files.

Whoever drives it (the loop, or a simulator with virtual time) calls :meth:`Scheduler.take` for tasks that may start
now, does them, and reports with :meth:`checked`, :meth:`applied`, :meth:`refreshed`,
:meth:`condition_answered` or :meth:`failed`.
News from outside comes in by :meth:`mark`. What became of resources goes out through ``recorder``.

First convergence, drift, retry, refresh and conditions are one mechanism: each only marks resources dirty. A dirty
resource stays dirty until a check that began after the mark found it right.

Whatever was applied or refreshed has changed: its subscribers owe a refresh, which is written down before it begins,
and its dependents are checked again.

A declared edge holds a resource back until what it names is right. So does an automatic edge to the mount, archive or
checkout that a resource lies in, and one that puts it after a removal. Any other automatic edge only orders: the
resource waits its turn, but goes on where the other one is held back by a condition that does not hold, or where the
other one comes from an included blueprint, has failed, and the resource is declared by the blueprint that includes it.
Where the resource then turns out to lack what the other one brings, it is skipped until that is there.
"""

from __future__ import annotations

import heapq
import itertools
import math
import zlib
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, NotYet, Refusal, ResourceError
from converge.core.resource import Resource
from converge.engine import throttle
from converge.engine.dependencies import goes_without, missed, pending_above, stale_ancestors
from converge.engine.feuds import Feuds
from converge.engine.ledger import Ledger
from converge.engine.messages import describe, still_differs, undo_each_other
from converge.engine.node import NO_EDGES, Held, Loose, Node, TaskVerb, Verdict
from converge.engine.permanence import is_permanent
from converge.engine.recorder import EventRecorder
from converge.engine.settings import Settings
from converge.graph.graph import BY_NAME, IN_PACKAGE, REFRESH, Graph
from converge.host.exhaustion import none_left

_WORK = ("apply", "refresh")


_SECOND_LOOK = 0.5
"""Seconds between two looks that must say the same."""
_LONG = 3.0
"""Seconds of waiting for somebody else that are worth a word; most are over sooner."""


class Task(NamedTuple):
    """Something to be done now for one resource, off the loop."""

    verb: TaskVerb
    node: Node
    state: Changes = IN_SYNC
    causes: tuple[str, ...] = ()


class Exhausted(Busy):
    """The system had none left of something that is needed to check or apply."""


class Scheduler:
    """See the module. ``planning`` checks everything once and changes nothing."""

    def __init__(
        self, graph: Graph, settings: Settings, *, now: float, ledger: Ledger | None = None, planning: bool = False
    ) -> None:
        self.settings = settings
        self.planning = planning
        self.ledger = ledger or Ledger()
        self.recorder = EventRecorder()
        self.stopped: str | None = None
        """Why nothing more is started: told to stop, or a critical resource failed."""
        self.last_change = now
        self.nodes: dict[str, Node] = {}
        self.running = 0
        self._candidates: deque[Node] = deque()
        self._timers: list[tuple[float, int, Node]] = []
        self._sequence = itertools.count()
        self._at_work: Counter[type[Resource]] = Counter()
        """How many of each kind are being applied or refreshed."""
        self._feuds = Feuds()
        self._ends_by_itself = bool(settings.timeout) and not planning
        self._vain: set[Node] = set()
        """Those that failed in a way that waiting does not change, since anything last changed."""
        self._quiet_until: dict[type[Resource], float] = {}
        self._adopt(graph, now)

    # --- the graph ----------------------------------------------------------------------------------------

    def replace(self, graph: Graph, now: float) -> None:
        """Take a reloaded blueprint: what did not change keeps all that is known of it."""
        self._adopt(graph, now)

    def _adopt(self, graph: Graph, now: float) -> None:
        before = self.nodes
        nodes = [self._node_for(resource, before.get(resource.id), now) for resource in graph.resources]
        self.nodes = {node.resource.id: node for node in nodes}
        for gone in before.keys() - self.nodes.keys():
            self._retire(before[gone])
        for node in nodes:
            node.deps, node.dependents, node.subscribers = [], [], []
        loose: dict[Node, dict[Node, Loose]] = {}
        for edge in graph.edges:
            earlier, later = nodes[edge.before], nodes[edge.after]
            later.deps.append(earlier)
            earlier.dependents.append(later)
            if edge.rule == REFRESH:
                earlier.subscribers.append(later)
            elif edge.only_orders:
                goes_on = edge.foreign or edge.rule == IN_PACKAGE
                loose.setdefault(later, {})[earlier] = Loose(goes_on, edge.rule != BY_NAME)
        for node in nodes:
            node.loose = loose.get(node, NO_EDGES)
        self.ledger.keep_only(self.nodes)
        self.recorder.begin(nodes)
        for node in nodes:
            # At first, what stands on something is considered when that is done; before, it could only wait.
            if before or all(dep.resource.noop for dep in node.deps):
                self._consider(node)

    def _node_for(self, resource: Resource, known: Node | None, now: float) -> Node:
        if known is not None and known.resource == resource:
            known.resource = resource
            return known
        node = Node(resource, self.settings.burst, now)
        if resource.refreshed_by():
            node.pending_refreshes = self.ledger.debts(resource.id)
        if known is not None:
            # A changed declaration keeps what is true of the place it describes, not what was known of its state.
            node.last_outcome, node.hung = known.last_outcome, known.hung or known.running is not None
            node.unfollowed = known.unfollowed or known.running in _WORK
            if resource.refreshed_by():
                node.pending_refreshes |= known.pending_refreshes | known.in_flight_refreshes
            self._retire(known)
        return node

    def _retire(self, node: Node) -> None:
        """Whatever of it still runs may end; nothing of it starts again."""
        node.retired, node.dirty = True, False
        node.dependents, node.subscribers = [], []

    # --- news ---------------------------------------------------------------------------------------------

    def mark(self, id: str, now: float, *, polled: bool = False) -> None:
        """News from outside: look at this resource again. Unknown ids are ignored: they were just removed.

        ``polled``: there is no news, it is only time to look; that gives nothing another chance that used up its own.
        """
        node = self.nodes.get(id)
        if node is None or self.planning:
            return
        due = throttle.coalesced(node, self.settings, now)
        if node.attempts and polled:
            due = max(due, node.due)
        elif node.attempts and (node.running in ("apply", "refresh") or now < node.quiet_until or self._kin(node, now)):
            # Perhaps only our own failing apply is heard. That must not shorten its backoff, but it may be news.
            node.another_try = True
            due = max(due, node.due, now + throttle.retry_delay(node, self.settings) if node.noncompliant else now)
        elif node.attempts:
            node.attempts, node.noncompliant = 0, False
        node.outside, node.heard_at = True, now
        self._make_dirty(node, now, due)

    def _kin(self, node: Node, now: float) -> bool:
        """Whether what is heard may come from our own work on others that are told by the same news."""
        kind = type(node.resource)
        return kind.shared_source and (bool(self._at_work[kind]) or now < self._quiet_until.get(kind, 0.0))

    def mark_condition(self, id: str, now: float) -> None:
        """News about the condition of this resource."""
        node = self.nodes.get(id)
        if node is not None and node.condition is not None:
            node.condition_dirty = True
            self._make_dirty(node, now, now)

    def mark_all(self, now: float) -> None:
        """Look at everything once, as after a sleep of the machine."""
        for id in self.nodes:
            self.mark(id, now)

    def _make_dirty(self, node: Node, now: float, due: float) -> None:
        if node.dirty:
            node.due = node.due if node.rate_limited else min(node.due, due)
        else:
            node.dirty, node.since, node.due = True, now, due
        node.drift, node.verified = IN_SYNC, False
        self._consider(node)

    def _consider(self, node: Node) -> None:
        """Look at this node at the next take."""
        if node.dirty and not node.queued:
            node.queued = True
            self._candidates.append(node)

    # --- what may start -----------------------------------------------------------------------------------

    def take(self, now: float) -> list[Task]:
        """All that may start now. Whatever is returned counts as running until it is reported."""
        while self._timers and self._timers[0][0] <= now:
            self._consider(heapq.heappop(self._timers)[2])
        tasks: list[Task] = []
        while self._candidates:
            node = self._candidates.popleft()
            node.queued = False
            task = self._task_for(node, now)
            if task is not None:
                node.running = task.verb
                if task.verb != "condition":
                    node.held = ""
                self._at_work[type(node.resource)] += task.verb in _WORK
                if task.verb in _WORK:
                    self._feuds.began(node, now)
                # A mark that comes while it runs makes it dirty again, and is then not lost.
                node.dirty = False
                self.running += 1
                tasks.append(task)
        try:
            # Also where nothing starts: a refresh that was done last must not be found due at the next start.
            self.ledger.save()
        except OSError as error:
            return [task for task in tasks if not self._unnoted(task, error, now)]
        return tasks

    def _unnoted(self, task: Task, error: OSError, now: float) -> bool:
        """Whether the refreshes that this task calls for could not be written down; then it must wait.

        For the other tasks nothing had to be written but that a refresh is done; the next take tries that again.
        """
        if task.verb not in _WORK or not task.node.subscribers:
            return False
        why = ResourceError(f"the refreshes that it calls for cannot be noted: {describe(error)}")
        why.__cause__ = error
        self.failed(task.node, why, task.state, now=now, took=0.0)
        return True

    def _task_for(self, node: Node, now: float) -> Task | None:
        if not node.dirty or node.running or node.hung or self.stopped:
            return None
        if (
            node.outside
            and node.due <= now
            and throttle.can_wait(node, self.settings, now, len(self.recorder.untold()))
        ):
            node.due = now + self.settings.coalesce
        if node.due > now:
            heapq.heappush(self._timers, (node.due, next(self._sequence), node))
            return None
        if node.condition is not None:
            return self._gate_task(node)
        for dep in node.deps:
            if not self._lets_pass(dep) and not goes_without(node, dep):
                self._wait_for(node, dep, now)
                return None
        if node.drift:
            return None if self._look_above(node, now) else self._apply_task(node)
        if node.pending_refreshes and node.verified:
            return self._refresh_task(node)
        node.rate_limited = False
        return Task("check", node)

    def _look_above(self, node: Node, now: float) -> bool:
        """Have what it stands on looked at again where that was not done since its drift was noticed.

        The node is considered again once the last of these, one that it depends on itself, is done.
        """
        again = stale_ancestors(node)
        for needed in again:
            self._make_dirty(needed, now, now)
        return bool(again)

    @staticmethod
    def _settling(node: Node) -> tuple[str, ...]:
        """What is due is about to be done; what becomes due from now on is due once more, even for the same cause."""
        node.in_flight_refreshes, node.pending_refreshes = node.pending_refreshes, set()
        return tuple(sorted(node.in_flight_refreshes))

    def _gate_task(self, node: Node) -> Task | None:
        if not node.condition_dirty:
            return None
        node.condition_dirty = False
        return Task("condition", node)

    def _apply_task(self, node: Node) -> Task:
        state, node.drift, node.has_token = node.drift, IN_SYNC, False
        # Used up only now: what is confirmed before an apply may call for one more check.
        node.another_try = False
        self._call_for_refreshes(node)
        self._settling(node)
        return Task("apply", node, state)

    def _refresh_task(self, node: Node) -> Task:
        self._call_for_refreshes(node)
        return Task("refresh", node, causes=self._settling(node))

    def _call_for_refreshes(self, node: Node) -> None:
        """Before the change, so that a crash in between cannot lose them."""
        node.unfollowed = True
        for subscriber in node.subscribers:
            subscriber.pending_refreshes.add(node.resource.id)
            self.ledger.owe(subscriber.resource.id, node.resource.id)

    def _lets_pass(self, dep: Node) -> bool:
        if dep.resource.noop:
            return True
        if dep.verdict is Verdict.RIGHT:
            return not dep.dirty and dep.running is None
        return self.planning and dep.verdict is Verdict.PENDING

    def _wait_for(self, node: Node, dep: Node, now: float) -> None:
        """``node`` could go but for ``dep``; when that is done, ``node`` is considered again."""
        if dep.dirty and dep.due > now and dep.verdict is Verdict.RIGHT and not dep.rate_limited:
            # It only waits for its coalescing window to end; somebody needs to know now.
            dep.due = now
            self._consider(dep)
        elif dep.verdict is Verdict.FAILED and not dep.running:
            self._skip(node, f"needs {dep.resource.id}, which failed", "failure")
        elif dep.last_outcome is not None and dep.last_outcome[0] == "skipped":
            self._skip(node, f"needs {dep.resource.id}, which was skipped", dep.held)

    # --- what came of it ----------------------------------------------------------------------------------

    def checked(self, node: Node, found: Changes, *, began: float, now: float, took: float) -> None:
        """A check is done; ``began`` is when it started, ``took`` how long it lasted."""
        if not self._accept(node):
            return
        node.checked, node.busy_since, node.refused = began, None, ""
        if not found or (node.ran and node.resource.runs_once()):
            node.right_at, node.feud = began, False
            self._found_right(node, now, took)
        elif self.planning or node.resource.noop:
            self._found_pending(node, self._with_refresh(node, found), now, took)
        elif unknown := [change for change in found if change.action == "unknown"]:
            self._failed(node, f"{unknown[0].property} is {unknown[0].from_}", found, now, took, looked=True)
        elif node.noncompliant and found == node.failing and not node.another_try:
            node.verdict = Verdict.FAILED
            self._consider(node)
        elif node.feud and found == node.failing:
            self._leave_alone(node, node.error, found, now, took)
        elif other := self._feuds.opponent(node):
            self._leave_alone(node, undo_each_other(node.resource, other.resource), found, now, took)
        else:
            self._found_drift(node, found, now)

    def _leave_alone(self, node: Node, why: str, found: Changes, now: float, took: float) -> None:
        """Another one undoes it, and the other way round; to go on would be to do both for ever."""
        node.feud, node.attempts = True, max(node.attempts, self._most_retries(node))
        self._failed(node, why, found, now, took, looked=True)

    def applied(self, node: Node, state: Changes, left: Changes, *, began: float, now: float, took: float) -> None:
        """An apply is done, and the check after it, which began at ``began``, found ``left``."""
        if not self._accept(node):
            return
        node.checked, node.busy_since = began, None
        node.ran = True
        self._feuds.ended(node, now)
        if not left:
            node.right_at = began
        self._expect_echo(node, now)
        if left and (left != state or node.outside or node.dirty) and not (node.attempts or node.contested):
            # Who changed it before may have changed it again, after our apply: that is news, and no failure yet.
            node.contested = True
            self._settle(node, done=False)
            self._make_dirty(node, now, node.window_end)
            return
        if left:
            self._settle(node, done=False)
            self._failed(node, still_differs(left), state, now, took)
            return
        self._settle(node, done=node.resource.apply_refreshes(state))
        self._changed(node, state, now, took)

    def refreshed(self, node: Node, causes: Iterable[str], *, now: float, took: float) -> None:
        """A refresh is done."""
        if not self._accept(node):
            return
        self._feuds.ended(node, now)
        self._expect_echo(node, now)
        self._settle(node, done=True)
        self._changed(node, (_refresh_change(causes),), now, took)

    def condition_answered(self, node: Node, met: bool, *, now: float) -> None:
        """The condition of a resource was asked."""
        if not self._accept(node):
            return
        node.dirty = True
        if met:
            node.condition, node.held = None, ""
            node.since = node.due = now
        else:
            self._skip(node, f"waits until {node.condition} holds", "condition")
        self._consider(node)

    def failed(
        self, node: Node, error: Exception, state: Changes, *, now: float, took: float, hung: bool = False
    ) -> None:
        """A task raised, or took too long (``hung``: it has still not come back)."""
        doing = node.running
        if not self._accept(node):
            return
        node.hung = hung
        self._settle(node, done=False)
        if doing == "condition":
            node.condition_dirty = True
        elif doing != "check":
            self._feuds.ended(node, now)
            self._expect_echo(node, now)
        if of := none_left(error):
            # Never all in step: they would be short of it together once more.
            again = 0.5 + zlib.crc32(node.resource.id.encode(errors="replace")) % 1000 / 1000
            error = Exhausted(f"there are no more {of}: {describe(error)}", again=again)
        if isinstance(error, Busy) and self._put_off(node, error, now):
            return
        if isinstance(error, Refusal) and self._look_twice(node, error, now):
            return
        if isinstance(error, NotYet) and (self._will_come(node, error, now, took) or self._lacks(node)):
            return
        vain = self._ends_by_itself and is_permanent(error)
        self._failed(node, describe(error), state, now, took, looked=doing in ("condition", "check"), vain=vain)

    def _will_come(self, node: Node, error: NotYet, now: float, took: float) -> bool:
        """Whether what is missing may yet be brought by something that this one stands on."""
        if not self.planning:
            # Its own news may not have come yet.
            if not self._look_above(node, now):
                return False
            node.dirty, node.due = True, now
            return True
        after = pending_above(node, error.needs)
        if after is None:
            return False
        node.reason = f"after {after}"
        self._found_pending(node, error.changes, now, took)
        return True

    def _lacks(self, node: Node) -> bool:
        """Whether it went on without something, and cannot: it waits for that after all."""
        dep = missed(node)
        if dep is None:
            return False
        failed = dep.verdict is Verdict.FAILED
        held: Held = "failure" if failed else dep.held
        self._skip(node, f"needs {dep.resource.id}, which {'failed' if failed else 'was skipped'}", held)
        return True

    def _look_twice(self, node: Node, error: Refusal, now: float) -> bool:
        """Look again before anybody is advised to lose something; False where this is the second look."""
        if node.refused == str(error):
            return False
        node.refused = str(error)
        node.dirty, node.due = True, now + _SECOND_LOOK
        self._consider(node)
        return True

    def _put_off(self, node: Node, error: Busy, now: float) -> bool:
        """Wait for somebody else's work to settle; False where that has lasted too long."""
        if self.planning and not isinstance(error, Exhausted):
            self._skip(node, f"cannot be judged now: {error}", "")
            return True
        node.busy_since = now if node.busy_since is None else node.busy_since
        if now - node.busy_since >= error.at_most:
            node.busy_since = None
            return False
        if now - node.busy_since >= _LONG and node.busy_told != node.busy_since:
            node.busy_told = node.busy_since
            self.recorder.tell_waiting(node, describe(error))
        node.since = node.since if node.dirty else now
        node.dirty, node.due = True, now + error.again
        self._consider(node)
        return True

    def returned(self, node: Node) -> None:
        """A call that had timed out has come back after all."""
        node.hung = False
        self._consider(node)

    def stop(self, reason: str) -> None:
        """Start nothing more."""
        self.stopped = reason

    # --- how long to wait ---------------------------------------------------------------------------------

    def next_due(self) -> float:
        """When a task may start by the passing of time alone; infinity where none will."""
        if self.stopped:
            return math.inf
        if self._candidates:
            return -math.inf
        while self._timers:
            due, _, node = self._timers[0]
            if _waits(due, node):
                return due
            heapq.heappop(self._timers)
        return math.inf

    def quiet(self) -> bool:
        """Nothing runs, can start, or waits for its time.

        What waits for a condition or for a failed one may wait for ever; so may what is noncompliant.
        """
        if self.running or self.stopped is not None:
            return not self.running
        if self.next_due() == -math.inf:
            return False
        return all(node.noncompliant or not _waits(due, node) for due, _, node in self._timers)

    def converged_once(self) -> bool:
        """Each resource has had its first outcome."""
        return not self.recorder.untold()

    # --- inside -------------------------------------------------------------------------------------------

    def _expect_echo(self, node: Node, now: float) -> None:
        throttle.expect_echo(node, self.settings, now)
        self._quiet_until[type(node.resource)] = node.quiet_until

    def _accept(self, node: Node) -> bool:
        """A task came back. False where its resource has left the blueprint, or is declared anew, meanwhile."""
        self._at_work[type(node.resource)] -= node.running in _WORK
        node.running = None
        self.running -= 1
        if not node.retired:
            return True
        current = self.nodes.get(node.resource.id)
        if current is not None and current.hung:
            self.returned(current)
        return False

    def _found_right(self, node: Node, now: float, took: float) -> None:
        if node.pending_refreshes:
            node.verdict = Verdict.RIGHT
            self._refresh_next(node, now, took)
            return
        self._right(node)
        self.recorder.tell(node, "ok", took=took)
        if node.unfollowed:  # by an apply that seemed to have failed, or was not heard of again
            self._follow(node, now)
        for subscriber in node.subscribers:
            if subscriber.pending_refreshes:
                self._make_dirty(subscriber, now, now)
        if node.dependents or node.dirty:
            self._release(node, now)

    def _refresh_next(self, node: Node, now: float, took: float) -> None:
        """All is right but for a refresh that is due; until that is done it counts as dirty."""
        if self.planning or node.resource.noop:
            self._found_pending(node, (_refresh_change(node.pending_refreshes),), now, took)
            return
        if not node.dirty:
            node.dirty, node.since, node.due = True, now, now
            node.verified = True
        self._consider(node)

    def _changed(self, node: Node, state: Changes, now: float, took: float) -> None:
        self.last_change = now
        self._right(node)
        if self._vain:
            self._try_again(node, now)
        self.recorder.tell(node, "changed", state, took)
        self._follow(node, now)
        self._release(node, now)

    def _try_again(self, changed: Node, now: float) -> None:
        """What waiting does not help may be what this change was for."""
        vain, self._vain = self._vain, set()
        for node in vain - {changed}:
            if not node.retired:
                self._make_dirty(node, now, now)

    def _follow(self, node: Node, now: float) -> None:
        """It was changed: what depends on it is looked at again."""
        node.unfollowed = False
        for dependent in node.dependents:
            self._make_dirty(dependent, now, now)

    def _settle(self, node: Node, *, done: bool) -> None:
        """What was due when the task began was done with it, or is due still."""
        causes, node.in_flight_refreshes = node.in_flight_refreshes, set()
        if done:
            self.ledger.settle(node.resource.id, causes - node.pending_refreshes)
        else:
            node.pending_refreshes |= causes

    def _right(self, node: Node) -> None:
        node.verdict = Verdict.RIGHT
        node.attempts, node.noncompliant, node.outside, node.rate_limited = 0, False, False, False
        node.contested = node.has_token = node.another_try = False

    def _release(self, node: Node, now: float) -> None:
        """Those that waited for this one are looked at again, and itself where it was marked meanwhile."""
        for dependent in node.dependents:
            if dependent.held and not dependent.dirty:  # it went on without this one, and could not
                self._make_dirty(dependent, now, now)
            self._consider(dependent)
        if node.dirty:
            self._consider(node)

    def _found_drift(self, node: Node, found: Changes, now: float) -> None:
        """To be applied, once what it stands on is confirmed, and its rate allows it."""
        wait = throttle.rate_limit_delay(node, self.settings, now) if node.outside and not node.has_token else 0.0
        if wait:
            node.dirty, node.rate_limited, node.due = True, True, now + wait
            if throttle.limit_begins(node, self.settings, now):
                self.recorder.tell_limited(node, wait, throttle.repair_rate(node, self.settings))
        else:
            # News that came while the check ran needs no window of its own: the check after the apply is later still.
            node.dirty, node.due = True, now
            node.drift, node.has_token = found, node.outside
        self._consider(node)

    @staticmethod
    def _with_refresh(node: Node, found: Changes) -> Changes:
        """What will be done: a refresh, too, where putting it right does not take the place of one that is due."""
        if node.pending_refreshes and not node.resource.apply_refreshes(found):
            return (*found, _refresh_change(node.pending_refreshes))
        return found

    def _found_pending(self, node: Node, state: Changes, now: float, took: float) -> None:
        node.verdict = Verdict.PENDING
        if self.planning and not node.resource.noop:
            for subscriber in node.subscribers:
                subscriber.pending_refreshes.add(node.resource.id)
        node.attempts = 0
        self.recorder.tell(node, "pending", state, took, reason=node.reason)
        self._release(node, now)

    def _failed(
        self,
        node: Node,
        text: str,
        state: Changes,
        now: float,
        took: float,
        *,
        looked: bool = False,
        vain: bool = False,
    ) -> None:
        """``looked``: only a check was made, so that what was heard meanwhile is no echo of our own doing.

        ``vain``: waiting does not help; it is tried again once another resource has changed.
        """
        resource, heard = node.resource, node.dirty
        known = node.noncompliant and node.error == text
        node.verdict, node.failing, node.error = Verdict.FAILED, state, text
        node.attempts += 1
        node.noncompliant = vain or node.attempts > self._most_retries(node)
        if vain:
            self._vain.add(node)
        if self.planning or vain:
            node.dirty = False
        elif (heard and not looked) or not (heard or node.noncompliant):
            node.another_try = heard
            node.dirty, node.since, node.due = True, now, now + throttle.retry_delay(node, self.settings)
        if resource.critical and self.recorder.untold() and not self.planning:
            self._give_up(node)
        if not known:
            self.recorder.tell(node, "failed", state, took, error=text)
        self._consider(node)
        self._skip_dependents(node)

    def _most_retries(self, node: Node) -> int:
        own = node.resource.retry
        return self.settings.max_retries if own is None else own

    def _give_up(self, node: Node) -> None:
        """A failure of a critical resource ends the first convergence; what runs already may finish."""
        self.stop(f"{node.resource.id} is critical, and failed")
        for other in self.recorder.untold() - {node}:
            if not other.running:
                self.recorder.tell(other, "skipped", reason=self.stopped)

    def _skip_dependents(self, node: Node) -> None:
        for dependent in node.dependents:
            self._consider(dependent)

    def _skip(self, node: Node, reason: str, held: Held) -> None:
        known = node.held == held and node.last_outcome is not None and node.last_outcome[:2] == ("skipped", reason)
        node.held = held
        if not known:
            self.recorder.tell(node, "skipped", reason=reason)
            self._skip_dependents(node)


def _waits(due: float, node: Node) -> bool:
    """Whether this is still what a node waits for; a timer that was overtaken stays in the heap."""
    return node.dirty and not node.running and node.due == due


def _refresh_change(causes: Iterable[str]) -> Change:
    return Change("refresh", None, f"because of {', '.join(sorted(causes))}", "refresh")
