"""The gateway's metrics, by name.

Invariant: labels are ours and few (codes, kinds of request, reasons), never a client's text.
"""

from bus.errors import Code
from bus.metrics import SIZES, Meters

CODES = {int(code): code.name for code in Code}
REQUESTS = {1: "logon", 2: "logon", 3: "logoff", 4: "command", 5: "query", 6: "subscribe", 7: "unsubscribe", 8: "heartbeat"}  # fmt: skip  # noqa: E501


class GatewayMeters:
    """What one gateway counts."""

    def __init__(self, meters: Meters) -> None:
        self.messages = meters.counter("messages_total", "Messages of clients.")
        self.requests = meters.counts("requests_total", "Requests of clients.", "kind")
        self.commands = meters.counter("commands_total", "Commands passed to the engine.")
        self.frames = meters.counter("frames_total", "Frames of commands passed to the engine.")
        self.frame_commands = meters.histogram("frame_commands", "Commands in a frame.", SIZES)
        self.answers = meters.counter("answers_total", "Commands answered from the stream.")
        self.refused = meters.counts("refused_total", "Requests refused here.", "code")
        self.rejected = meters.counts("rejected_total", "Commands refused by the engine.", "code")
        self.links = meters.counts("links_opened_total", "Links opened.", "lane")
        self.lost = meters.counter("lost_total", "Commands answered LINK_GAP because a pipe was lost.")
        self.unknown = meters.counter("unknown_total", "Commands answered OUTCOME_UNKNOWN.")
        self.logons = meters.counts("logons_total", "Log-ons.", "outcome")
        self.ended = meters.counts("sessions_ended_total", "Sessions ended.", "reason")
        self.disconnects = meters.counts(
            "disconnect_cancels_total", "Mass cancels of accounts whose session ended.", "outcome"
        )
        self.undelivered = meters.counts("undelivered_total", "Messages to clients not taken.", "reason")
        self.private = meters.counter("private_messages_total", "Private messages sent.")
        self.round_trip = meters.histogram(
            "engine_round_trip_seconds", "From a command taken to its events seen (first of each frame)."
        )
        self.turn = meters.histogram("turn_seconds", "One turn of the loop that had something to do.")
