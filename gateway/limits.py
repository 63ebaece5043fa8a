"""The bounds that a desk keeps, taken from the settings once.

Invariant: every count, size and time that a client can drive up has its maximum here.
"""

from typing import NamedTuple

from bus.settings import Settings

MS_NS = 1_000_000
S_NS = 1_000_000_000


class Limits(NamedTuple):
    """Bounds of one gateway; times in nanoseconds."""

    requests_per_message_max: int
    message_bytes_max: int
    commands_per_frame_max: int
    session_in_flight_max: int
    pipe_in_flight_max: int
    requests_per_s_max: int
    burst_max: int
    sessions_max: int
    idle_ns_max: int
    heartbeat_ns: int
    request_timeout_ns: int
    link_timeout_ns: int
    logon_ns_max: int
    logons_pending_max: int
    private_accounts_max: int
    private_events_max: int
    queries_max: int
    scram_iterations: int
    validity_s_max: int


def limits_of(settings: Settings) -> Limits:
    """Return the bounds that the settings name."""
    gateway = settings.gateway
    return Limits(
        requests_per_message_max=gateway.requests_per_message_max,
        message_bytes_max=gateway.message_bytes_max,
        commands_per_frame_max=settings.engine.commands_per_frame_max,
        session_in_flight_max=gateway.session_in_flight_max,
        pipe_in_flight_max=gateway.pipe_in_flight_max,
        requests_per_s_max=gateway.session_requests_per_s_max,
        burst_max=gateway.session_burst_max,
        sessions_max=gateway.sessions_max,
        idle_ns_max=int(gateway.session_idle_s_max * S_NS),
        heartbeat_ns=int(gateway.heartbeat_s * S_NS),
        request_timeout_ns=int(gateway.request_timeout_s * S_NS),
        link_timeout_ns=settings.stream.request_timeout_ms * MS_NS,
        logon_ns_max=int(gateway.logon_s_max * S_NS),
        logons_pending_max=gateway.logons_pending_max,
        private_accounts_max=gateway.private_accounts_max,
        private_events_max=gateway.private_ring_events_max,
        queries_max=gateway.query_in_flight_max,
        scram_iterations=gateway.scram_iterations,
        validity_s_max=settings.engine.command_validity_s_max,
    )
