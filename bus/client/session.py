"""The client's side of the protocol, without a socket: bytes in, bytes out, and when to do what.

Invariant: whatever happens to connections, gateways and the engine, the session comes back by itself, logs
on again, follows the same private streams from where they stood and resends what has no answer
(`bus.client.pipeline`); it ends only when closed or when the venue refuses the key.

Pure: times (monotonic nanoseconds), nonces and randomness come in as arguments. One thread at a time.
"""

from collections.abc import Callable
from enum import Enum
from random import Random

from ..codec import unpack
from ..errors import Code, FormError, SessionError, ZeropitError, error_for
from ..frames import WIRE_VERSION, Kind
from ..retry import Backoff
from .logon import Granted, Logon
from .pending import Pending
from .pipeline import (
    HEARTBEAT,
    LOGOFF,
    LOGON_FINAL,
    LOGON_FIRST,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Callback,
    Pipeline,
)
from .reports import Reports

SECOND_NS = 1_000_000_000
LOGON_NS_MAX = 5 * SECOND_NS
"""A log-on that is not through by then is begun again on a fresh connection."""
ANSWER_NS_MAX = 30 * SECOND_NS
"""A request that has no reply by then (the gateway gives one sooner) shows that the session is broken."""
SUBSCRIBE_PAUSE_NS = SECOND_NS // 10
SILENT_HEARTBEATS_MAX = 3
RETRY_MS = (20, 2_000)
"""First and longest pause before a new connection."""

_REPLIES = Kind.REPLIES.value
_PRIVATE = Kind.PRIVATE.value


class State(Enum):
    """Where a session stands."""

    DOWN = "down"
    LOGGING_ON = "logging on"
    UP = "up"
    CLOSING = "closing"
    ENDED = "ended"


class Session:
    """The protocol state of one client.

    Parameters
    ----------
    key_id, secret
        What to log on with.
    nonce
        Makes a fresh nonce for each log-on.
    random
        Where jitter comes from.
    window, queue_max
        Most requests under way (the gateway's ``in_flight_max`` applies too), and waiting.
    cancel_on_disconnect
        Whether the gateway is to cancel what the session placed when it ends.

    Raises
    ------
    FormError
        WRONG_TYPE when key or secret is no text.

    Attributes
    ----------
    state
        Where it stands.
    granted
        What the last log-on gave; None before the first.
    error
        Why it ended, or None.
    connections
        Log-ons that succeeded.
    trouble
        Why the last connection was given up, or "".
    pipeline
        The requests.
    """

    def __init__(
        self,
        key_id: str,
        secret: str,
        *,
        nonce: Callable[[], str],
        random: Random,
        window: int = 4_096,
        queue_max: int = 10_000,
        cancel_on_disconnect: bool = False,
    ) -> None:
        given: dict[str, object] = {"key": key_id, "secret": secret}
        for name, value in given.items():
            if not isinstance(value, str):
                raise FormError(Code.WRONG_TYPE, f"expected {name} as str, was {type(value).__name__}")
        self.state = State.DOWN
        self.granted: Granted | None = None
        self.error: ZeropitError | None = None
        self.connections = 0
        self.trouble = ""
        self.pipeline = Pipeline(random, window, queue_max)
        self._cancel_on_disconnect = cancel_on_disconnect
        self._window_max = window
        self._logon_with = (key_id, secret, nonce)
        self._logon: Logon | None = None
        self._reports: dict[str, list[Reports]] = {}
        self._retry = Backoff(*RETRY_MS, random)
        self._open_ns = self._logon_until_ns = self._subscribe_ns = 0
        self._now_ns = self._heard_ns = self._sent_ns = 0
        self._oldest_id = self._oldest_ns = self._looked_ns = 0
        self._heartbeat_ns = SECOND_NS

    # --- what the user asks for

    def give_up(self, pending: Pending) -> None:
        """Resolve a request that is not waited for any longer; it is not sent (again) from here on.

        Its error is definite (NOT_READY) when it cannot have been executed, else OUTCOME_UNKNOWN.
        """
        self.pipeline.give_up(pending, self.trouble or "none")

    def subscribe(self, reports: Reports) -> None:
        """Follow an account's private events from now on, over reconnections too."""
        self._reports.setdefault(reports.account, []).append(reports)
        self._subscribe_ns = 0

    def unsubscribe(self, reports: Reports) -> None:
        """Stop following."""
        followers = self._reports.get(reports.account, [])
        if reports in followers:
            followers.remove(reports)
            if not followers:
                del self._reports[reports.account]
                if self.state is State.UP:
                    self.pipeline.serve(UNSUBSCRIBE, (reports.account,))

    def close(self) -> None:
        """Take nothing more and log off; replies to what is under way are still taken meanwhile."""
        if self.state is State.UP:
            self.state = State.CLOSING
            self.pipeline.serve(LOGOFF, (), lambda pending: self.end(closed()))
        elif self.state is not State.CLOSING:
            self.end(closed())

    def end(self, error: ZeropitError) -> None:
        """End for good; whatever is not resolved gets ``error``, or OUTCOME_UNKNOWN where it may be done."""
        if self.state is not State.ENDED:
            self.state = State.ENDED
            self.error = error
            self.pipeline.end(error)
            for followers in self._reports.values():
                for reports in followers:
                    reports.error = reports.error or error

    # --- what the driver does

    def wants_connection(self, now_ns: int) -> bool:
        """Whether a fresh connection should be opened now, followed by `opened`."""
        return self.state is State.DOWN and now_ns >= self._open_ns

    @property
    def has_connection(self) -> bool:
        """Whether the connection that was opened last is still of use."""
        return self.state not in (State.DOWN, State.ENDED)

    def opened(self, now_ns: int) -> None:
        """A fresh connection is there (it may still be connecting): log on."""
        self.state = State.LOGGING_ON
        self._now_ns = self._heard_ns = self._sent_ns = now_ns
        self._logon_until_ns = now_ns + LOGON_NS_MAX
        key_id, secret, nonce = self._logon_with
        self._logon = Logon(key_id, secret, nonce())
        self.pipeline.begin()
        self.pipeline.serve(LOGON_FIRST, (self._logon.first(),), self._logon_answered)

    def lost(self, now_ns: int, why: str) -> None:
        """The connection is gone or no good any longer: drop it, open another when `wants_connection`."""
        self.trouble = why
        if self.state is State.CLOSING:
            self.end(closed())
        elif self.state is not State.DOWN and self.state is not State.ENDED:
            self.state = State.DOWN
            self._open_ns = now_ns + self._retry.next_ns()
            self.pipeline.lost()
            for followers in self._reports.values():
                for reports in followers:
                    reports.lost()

    def next_message(self) -> bytes | None:
        """Return the next message to send, or None when nothing may be sent now."""
        message = self.pipeline.next_service_message()
        if message is None and self.state is State.UP:
            message = self.pipeline.next_message()
        if message is not None:
            self._sent_ns = self._now_ns
        return message

    def receive(self, data: bytes | memoryview, now_ns: int) -> None:
        """Take in one message of the gateway."""
        self._heard_ns = now_ns
        try:
            fields = unpack(data)
            if fields[0] != WIRE_VERSION:
                raise FormError(Code.UNSUPPORTED_VERSION, f"expected {WIRE_VERSION}, was {fields[0]!r:.20}")
            if fields[1] == _REPLIES:
                if not self.pipeline.take_replies(fields[3]):
                    self.lost(now_ns, "a gateway that does not know the session")
            elif fields[1] == _PRIVATE:
                for reports in self._reports.get(fields[2], ()):
                    reports.take(fields[3])
        except (FormError, TypeError, ValueError, IndexError, KeyError) as error:
            # A peer that does not speak the protocol: nothing that it says can be relied upon.
            self.lost(now_ns, f"a message that no gateway sends ({error!r:.80})")

    def tick(self, now_ns: int) -> None:
        """Do what is due: heartbeats, resends, subscriptions, giving up on a silent gateway."""
        if now_ns - self._now_ns > self._heartbeat_ns:
            # This process did not listen for a while: that says nothing about the gateway.
            self._heard_ns = self._oldest_ns = now_ns
        self._now_ns = now_ns
        if self.state is State.LOGGING_ON:
            if now_ns >= self._logon_until_ns:
                self.lost(now_ns, "no answer to the log-on")
        elif self.state is State.UP or self.state is State.CLOSING:
            if now_ns - self._heard_ns > SILENT_HEARTBEATS_MAX * self._heartbeat_ns or self._is_stuck(now_ns):
                self.lost(now_ns, "a silent gateway")
                return
            if now_ns - self._sent_ns >= self._heartbeat_ns:
                self._sent_ns = now_ns
                self.pipeline.serve(HEARTBEAT, ())
            self.pipeline.resume_when_due(now_ns)
            if self._reports and now_ns >= self._subscribe_ns:
                self._subscribe_wanted(now_ns)

    def next_due_ns(self) -> int:
        """Return when `tick` (or `wants_connection`) has something to do at the latest."""
        if self.state is State.DOWN:
            return self._open_ns
        if self.state is State.LOGGING_ON:
            return self._logon_until_ns
        due_ns = min(self._sent_ns, self._heard_ns) + self._heartbeat_ns
        if self.pipeline.resume_ns is not None:
            due_ns = min(due_ns, self.pipeline.resume_ns)
        if self._reports and self._subscribe_ns > self._now_ns:
            due_ns = min(due_ns, self._subscribe_ns)
        return max(due_ns, self._now_ns + 1_000_000)

    # --- log-on, subscriptions and health

    def _logon_answered(self, pending: Pending) -> None:
        assert self._logon is not None
        try:
            if pending.code:
                raise error_for(pending.code, pending.detail)
            if pending.op == LOGON_FIRST:
                final = self._logon.final(pending.result)
                option = (True,) if self._cancel_on_disconnect else ()
                self.pipeline.serve(LOGON_FINAL, (final, *option), self._logon_answered)
            else:
                self._take_granted(self._logon.granted(pending.result))
        except ZeropitError as error:
            if error.retryable:
                self.lost(self._now_ns, f"a refused log-on ({error})")
            else:
                self.end(error)

    def _take_granted(self, granted: Granted) -> None:
        self.granted = granted
        self._logon = None
        self.pipeline.token = granted.token
        self.pipeline.window = min(self._window_max, granted.in_flight_max)
        self.pipeline.batch_max = granted.requests_per_message_max
        self.pipeline.bytes_max = granted.message_bytes_max
        self._heartbeat_ns = max(1, min(granted.heartbeat_ms, granted.session_idle_ms // 3)) * 1_000_000
        self.state = State.UP
        self.connections += 1
        self.trouble = ""
        self._retry.reset()
        self._subscribe_ns = self._oldest_id = 0

    def _subscribe_wanted(self, now_ns: int) -> None:
        """Ask for each private stream that does not follow; not all the time, if it is refused."""
        self._subscribe_ns = now_ns + SUBSCRIBE_PAUSE_NS
        for followers in self._reports.values():
            for reports in followers:
                if reports.wanted:
                    reports.asked = True
                    args = (reports.account, reports.after)
                    self.pipeline.serve(SUBSCRIBE, args, self._subscribed(reports))

    def _subscribed(self, reports: Reports) -> Callback:
        def answered(pending: Pending) -> None:
            was = reports.position
            reports.answered(pending.code, pending.detail, pending.result)
            if reports.position != was:
                # The gateway goes on from this image: what other followers have not got by now is left out.
                for other in self._reports.get(reports.account, ()):
                    if (other.position or 0) < (reports.position or 0):
                        other.lost()

        return answered

    def _is_stuck(self, now_ns: int) -> bool:
        """Whether the oldest request under way has had no reply for too long (looked at once a second)."""
        if now_ns - self._looked_ns < SECOND_NS:
            return False
        self._looked_ns = now_ns
        oldest_id = next(iter(self.pipeline.in_flight), 0)
        if oldest_id != self._oldest_id:
            self._oldest_id, self._oldest_ns = oldest_id, now_ns
        return oldest_id != 0 and now_ns - self._oldest_ns > ANSWER_NS_MAX


def closed() -> SessionError:
    """Return the error of who uses a closed client."""
    return SessionError(Code.NOT_LOGGED_ON, "expected an open client, was a closed one")
