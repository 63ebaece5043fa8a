"""The feed's PUB socket: topics, their numbers, and who wants them.

Invariant: the numbers of a topic go up without a hole from its first message on, also in heartbeats;
a slow subscriber loses messages of its own (the socket's high-water mark) and nothing else happens.

The socket is an XPUB: it tells which prefixes are subscribed to, so what nobody wants is never made.
"""

import zmq

from bus.market_data import TopicFrame, encode_topic_frame

SUBSCRIPTIONS_PER_TURN_MAX = 1_000


class Publisher:
    """Sends messages of topics.

    Parameters
    ----------
    socket
        A bound XPUB.
    feed_instance
        Random number of this run.
    prefixes_max
        Different prefixes that are looked at; with more, everything counts as wanted.

    Attributes
    ----------
    venue_id, engine, epoch
        The engine's, for every frame.
    sent
        Messages sent.
    fresh
        Prefixes subscribed to since this was last emptied.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", feed_instance: int, prefixes_max: int) -> None:
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket = socket
        self.feed_instance = feed_instance
        self.venue_id = bytes(16)
        self.engine = ""
        self.epoch = 0
        self.sent = 0
        self.fresh: list[str] = []
        self._prefixes: set[str] = set()
        self._prefixes_max = prefixes_max
        self._wants_all = False
        self._wanted: dict[str, bool] = {}
        self._numbers: dict[str, int] = {}
        self._sent_ns: dict[str, int] = {}

    @property
    def prefixes(self) -> int:
        """Different prefixes subscribed to."""
        return len(self._prefixes)

    def take_subscriptions(self) -> None:
        """Take in who subscribed and who left; bounded work, never blocks."""
        for _ in range(SUBSCRIPTIONS_PER_TURN_MAX):
            try:
                message = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if message[:1] == b"\x01":
                self._subscribed(message[1:].decode("utf-8", "replace"))
            elif message[:1] == b"\x00":
                self._prefixes.discard(message[1:].decode("utf-8", "replace"))
                self._wanted.clear()

    def wants(self, topic: str) -> bool:
        """Return whether somebody subscribed to a topic; O(1) but for the first time."""
        wanted = self._wanted.get(topic)
        if wanted is None:
            wanted = self._wants_all or any(map(topic.startswith, self._prefixes))
            self._wanted[topic] = wanted
        return wanted

    def number(self, topic: str) -> int:
        """Return the number of the last message of a topic with numbers of its own; 0: none yet."""
        return self._numbers.get(topic, 0)

    def send_next(self, topic: str, seq: int, now_ns: int, body: object, clock_ns: int) -> None:
        """Send a message under the topic's own next number."""
        number = self._numbers[topic] = self._numbers.get(topic, 0) + 1
        self.send(topic, number, number, seq, now_ns, body, clock_ns)

    def send(
        self, topic: str, first: int, last: int, seq: int, now_ns: int, body: object, clock_ns: int
    ) -> None:
        """Send a message that covers the numbers ``first`` to ``last``; ``clock_ns`` is monotonic."""
        frame = TopicFrame(
            topic, self.feed_instance, self.venue_id, self.engine, self.epoch, first, last, seq, now_ns, body
        )
        self.socket.send_multipart((topic.encode(), encode_topic_frame(frame)))
        self._sent_ns[topic] = clock_ns
        self.sent += 1

    def is_silent(self, topic: str, since_ns: int) -> bool:
        """Return whether a topic was not sent on since then, or somebody has just come."""
        if self._sent_ns.get(topic, 0) <= since_ns:
            return True
        return bool(self.fresh) and any(map(topic.startswith, self.fresh))

    def _subscribed(self, prefix: str) -> None:
        if len(self._prefixes) >= self._prefixes_max and prefix not in self._prefixes:
            self._wants_all = True
        else:
            self._prefixes.add(prefix)
        if len(self.fresh) < SUBSCRIPTIONS_PER_TURN_MAX:
            self.fresh.append(prefix)
        self._wanted.clear()
