"""The client's side of a feed, without sockets: topics and answers in, questions out.

Invariant: everything followed becomes complete again by itself whatever is lost, and is given up with a
typed error only when the feed refuses the question for good or serves another venue's history.

Pure: times (monotonic nanoseconds) and randomness come in as arguments. One thread at a time.
"""

from collections import deque
from random import Random
from typing import Any

from ..errors import Code, FormError, StreamError, ZeropitError, error_for
from ..market_data import decode_topic_frame
from ..query_frames import Answer, Query, decode_reply, encode_query
from ..retry import Backoff
from .followed import Bounds, Followed, Source
from .pending import Pending
from .pipeline import QUERY, Callback

MS_NS = 1_000_000
ANSWER_NS_MAX = 2_000 * MS_NS
"""A question that has no answer by then is asked again."""
RETRY_MS = (20, 1_000)
AGAIN_NS = 100 * MS_NS
"""Pause before a question of the user that was refused for now is asked again."""
QUESTIONS_MAX = 1_000
"""Questions of the user that may wait at a time."""
NO_BOUNDS = Bounds(0, 0)


class Feed:
    """What is followed of one feed.

    Attributes
    ----------
    error
        Why nothing can be followed any longer, or None.
    heard_ns
        When something was last heard.
    malformed
        Messages that no feed sends.
    fresh_topics
        Topics to subscribe to, taken by the driver.
    """

    def __init__(self, random: Random) -> None:
        self.error: ZeropitError | None = None
        self.heard_ns = 0
        self.malformed = 0
        self.fresh_topics: list[bytes] = []
        self._followed: dict[str, list[Followed]] = {}
        self._source = Source()
        self._bounds = NO_BOUNDS
        self._random = random
        self._pauses: dict[Followed | None, Backoff] = {}
        self._ask_ns: dict[Followed | None, int] = {None: 0}
        self._asked: dict[int, tuple[Followed | None, int]] = {}
        self._asking: set[Followed | None] = set()
        self._questions: dict[int, tuple[Pending, int]] = {}
        self._callbacks: deque[Pending] = deque()
        self._next_id = 1

    def follow(self, followed: Followed) -> None:
        """Follow something from now on."""
        self._followed.setdefault(followed.topic, []).append(followed)
        self._ask_ns[followed] = 0
        self.fresh_topics.append(followed.topic.encode())

    def leave(self, followed: Followed) -> None:
        """Follow something no longer (its topic stays subscribed to while others follow it)."""
        others = self._followed.get(followed.topic, [])
        if followed in others:
            others.remove(followed)
            self._ask_ns.pop(followed, None)
            self._pauses.pop(followed, None)
            self._asking.discard(followed)

    def ask(self, query: str, args: tuple[Any, ...], callback: Callback | None = None) -> Pending:
        """Ask the feed a question of the user's own.

        Raises
        ------
        FormError
            OUT_OF_RANGE when too many wait.
        """
        if len(self._questions) >= QUESTIONS_MAX:
            raise FormError(
                Code.OUT_OF_RANGE, f"expected fewer than {QUESTIONS_MAX} questions waiting, was full"
            )
        pending = Pending(self._next_id, QUERY, (query, args), callback)
        self._questions[self._next_id] = (pending, 0)
        self._next_id += 1
        return pending

    def give_up(self, pending: Pending) -> None:
        """Wait for an answer no longer."""
        if not pending.done:
            self._questions.pop(pending.number, None)
            self._resolve(pending, Code.NOT_READY, "expected an answer of the feed in time, was none", None)

    def take_callback(self) -> Pending | None:
        """Return the next answered question whose callback is due."""
        return self._callbacks.popleft() if self._callbacks else None

    # --- what the driver does

    def take_topic(self, data: bytes, now_ns: int) -> None:
        """Take in a message of a topic."""
        try:
            frame = decode_topic_frame(data)
            self._source.check(frame.venue_id, frame.epoch)
            for followed in self._followed.get(frame.topic, ()):
                if followed.error is None:
                    followed.take(frame)
            self.heard_ns = now_ns
        except StreamError as error:
            self.stop(error)
        except (FormError, TypeError, ValueError, IndexError):
            self.malformed += 1

    def take_answer(self, data: bytes, now_ns: int) -> None:
        """Take in an answer of the snapshot ROUTER."""
        try:
            answer = decode_reply(data)
            if not isinstance(answer, Answer):
                return
            if answer.request_id in self._questions:
                self._take_own_answer(answer, now_ns)
            elif answer.request_id in self._asked:
                followed, _ = self._asked.pop(answer.request_id)
                self._asking.discard(followed)
                self._take_answer(followed, answer, now_ns)
        except StreamError as error:
            self.stop(error)
        except (FormError, TypeError, ValueError, IndexError, KeyError):
            self.malformed += 1

    def next_question(self, now_ns: int) -> bytes | None:
        """Return the next message for the snapshot ROUTER, or None."""
        for request_id, (pending, ask_ns) in self._questions.items():
            if ask_ns <= now_ns:
                self._questions[request_id] = (pending, now_ns + ANSWER_NS_MAX)
                return encode_query(Query(request_id, *pending.args))
        for request_id, (followed, sent_ns) in list(self._asked.items()):
            if now_ns - sent_ns > ANSWER_NS_MAX:
                del self._asked[request_id]
                self._asking.discard(followed)
        if self._bounds is NO_BOUNDS:
            return self._asked_now(None, "status", (), now_ns)
        for followed, ask_ns in self._ask_ns.items():
            if followed is None or followed.error is not None or ask_ns > now_ns or followed in self._asking:
                continue
            question = followed.question(self._bounds)
            if question is not None:
                return self._asked_now(followed, question.query, question.args, now_ns)
        return None

    def next_due_ns(self, now_ns: int) -> int:
        """Return when there is something to ask (again) at the latest."""
        return now_ns + 50 * MS_NS

    # --- inside

    def _asked_now(
        self, followed: Followed | None, query: str, args: tuple[Any, ...], now_ns: int
    ) -> bytes | None:
        if followed in self._asking or self._ask_ns.get(followed, 0) > now_ns:
            return None
        # The pause counts from here; an answer that brings everything does away with it.
        self._ask_ns[followed] = now_ns + self._pause(followed).next_ns()
        request_id = self._next_id
        self._next_id += 1
        self._asked[request_id] = (followed, now_ns)
        self._asking.add(followed)
        return encode_query(Query(request_id, query, args))

    def _take_own_answer(self, answer: Answer, now_ns: int) -> None:
        pending, _ = self._questions[answer.request_id]
        if answer.code and error_for(answer.code, answer.detail).retryable:
            self._questions[answer.request_id] = (pending, now_ns + AGAIN_NS)
        else:
            del self._questions[answer.request_id]
            self._resolve(pending, answer.code, answer.detail, (answer.seq, answer.now_ns, answer.result))

    def _take_answer(self, followed: Followed | None, answer: Answer, now_ns: int) -> None:
        if answer.code:
            error = error_for(answer.code, answer.detail)
            if followed is not None and not error.retryable:
                followed.error = error
            return
        self._source.check(answer.venue_id, answer.epoch)
        self.heard_ns = now_ns
        if followed is None:
            status = answer.result
            self._bounds = Bounds(status["depth_levels_max"], status["rows_limit_max"])
        elif followed in self._ask_ns:
            followed.answered(answer.result)
            if followed.ready:
                self._pause(followed).reset()
                self._ask_ns[followed] = now_ns

    def _pause(self, followed: Followed | None) -> Backoff:
        if followed not in self._pauses:
            self._pauses[followed] = Backoff(*RETRY_MS, self._random)
        return self._pauses[followed]

    def _resolve(self, pending: Pending, code: int, detail: str, result: Any) -> None:
        pending.code, pending.result = int(code), detail if code else result
        if pending.callback is not None:
            self._callbacks.append(pending)

    def stop(self, error: ZeropitError) -> None:
        """Follow nothing any longer, and end all questions."""
        self.error = error
        for pending, _ in self._questions.values():
            self._resolve(pending, error.code, error.detail, None)
        self._questions.clear()
        for group in self._followed.values():
            for followed in group:
                followed.error = followed.error or error
