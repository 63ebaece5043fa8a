"""Every setting of the venue, one frozen model a component.

Invariant: each queue, batch, retry, window, size and count of the venue has its named maximum here,
with a default, bounds and one sentence of description; ``docs/reference/settings.md`` is generated
from these models (``python -m bus.settings --markdown``) and a test compares. To add a key, add one line.

``{data_dir}`` and ``{run_dir}`` in a value stand for those two settings.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

KIB = 1024
MIB = 1024 * 1024

Count = Annotated[int, Field(ge=1, le=2**40)]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Nice = Annotated[int, Field(ge=0, le=19)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]

CandleInterval = Literal["1s", "5s", "15s", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M"]


def _endpoint(value: str) -> str:
    """Return the endpoint, or raise what pydantic reports."""
    found = re.fullmatch(r"ipc://.+|tcp://(?:\[[0-9a-fA-F:]+\]|[^:/\s]+):(\d{1,5}|\*)", value)
    port = found.group(1) if found else "none"
    if found is None or (port and port != "*" and int(port) > 65_535):
        raise ValueError("ipc://PATH or tcp://HOST:PORT")
    return value


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Section(BaseModel):
    """A group of settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Venue(Section):
    """What all components share: folders and socket defaults."""

    data_dir: Path = Path("var")
    """Folder of everything that must survive: journal, snapshots, embedded database."""
    run_dir: Path = Path("var/run")
    """Private folder (mode 0700) of ipc sockets, locks and the files that `zeropit status` reads."""
    sndhwm: Count = 10_000
    """Messages that a socket holds for one slow peer before it drops (PUB), blocks or refuses."""
    rcvhwm: Count = 10_000
    """Messages that a socket holds before its owner reads them."""
    linger_ms: Annotated[int, Field(ge=0, le=60_000)] = 1_000
    """How long a closing socket goes on sending what it holds."""
    handshake_ms_max: Milliseconds = 5_000
    """A peer that has not finished the ZeroMQ handshake by then is cut off."""
    stop_s_max: Seconds = 20.0
    """`zeropit up` kills a component that has not stopped in order by then."""


class Endpoints(Section):
    """Where the sockets are. The first six are internal: ipc, or tcp with the `curve` section set."""

    engine_commands: Endpoint = "ipc://{run_dir}/engine.commands"
    """Engine PULL: commands of the gateways."""
    engine_control: Endpoint = "ipc://{run_dir}/engine.control"
    """Engine PULL: control commands (halt, kill switch), drained first."""
    engine_stream: Endpoint = "ipc://{run_dir}/engine.stream"
    """Engine PUB: the one sequenced stream of events."""
    engine_query: Endpoint = "ipc://{run_dir}/engine.query"
    """Engine ROUTER: queries and images, answered between batches."""
    archive: Endpoint = "ipc://{run_dir}/archive.query"
    """Archive ROUTER: replay of past ranges of the stream."""
    recorder_query: Endpoint = "ipc://{run_dir}/recorder.query"
    """Recorder ROUTER: history from the database."""
    gateway: Endpoint = "tcp://127.0.0.1:7001"
    """Gateway ROUTER: the clients' door (port * or 0 takes a free one)."""
    feed_stream: Endpoint = "tcp://127.0.0.1:7011"
    """Feed PUB: public market data."""
    feed_query: Endpoint = "tcp://127.0.0.1:7012"
    """Feed ROUTER: snapshots of public market data."""


INTERNAL = ("engine_commands", "engine_control", "engine_stream", "engine_query", "archive", "recorder_query")
"""Endpoints that only the venue's own components may reach."""


class Curve(Section):
    """CURVE keys of internal sockets over tcp; all empty (ipc only) or all set."""

    server_secret_file: str = ""
    """Certificate with the secret key of the side that binds (`.key_secret`, made by `zmq.auth`)."""
    server_public_file: str = ""
    """Certificate with the public key of the side that binds; needed where a component connects."""
    client_secret_file: str = ""
    """Certificate with the secret key of a component that connects."""
    allowed_dir: str = ""
    """Allow-list: a folder with the public certificates of the components that may connect."""


class Engine(Section):
    """The deterministic engine and its service."""

    name: Name = "engine-1"
    """Name in every frame header; consumers store it with their position."""
    batch_commands_max: Count = 512
    """Commands executed before the journal record is committed: more saves syncs, fewer lets gateways and
    clients work while the engine does."""
    batch_frames_max: Count = 512
    """Messages drained from the PULL sockets for one batch."""
    batch_events_max: Count = 20_000
    """Events after which a batch takes no further command."""
    commands_per_frame_max: Count = 128
    """Commands in one message of a gateway."""
    frame_bytes_max: Count = MIB
    """Size of one message that the engine takes."""
    events_per_transaction_max: Count = 1_000
    """Events of one command; what needs more goes on in further commands."""
    fills_per_order_max: Count = 240
    """Fills after which the rest of an order is cancelled."""
    ids_per_account_max: Count = 200_000
    """Command ids remembered an account until they expire."""
    open_orders_per_account_max: Count = 100_000
    """Resting orders of one account."""
    links_max: Count = 1_024
    """Gateway links whose last number is kept as state."""
    follow_ups_per_command_max: Count = 100
    """Triggered orders carried out right behind one command; more go on in further commands."""
    trailing_per_market_max: Count = 200
    """Trailing stops that wait in one market."""
    indication_interval_ms: Milliseconds = 100
    """How often an auction's indication and an outcome market's best offers are told at most."""
    command_validity_s_max: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How far ahead `valid_until_ns` may lie."""
    heartbeat_ms: Milliseconds = 100
    """An idle engine announces its next seq this often."""
    clock_behind_s_max: Count = 5
    """A clock further behind the journal than this refuses the start."""
    control_frames_max: Count = 64
    """Messages drained from the control lane before each batch of orders."""
    stream_hwm: Count = 50_000
    """Frames that the stream's PUB holds for one slow subscriber before it drops them."""
    image_page_entries_max: Count = 5_000
    """Entries (levels, orders, keys) in one page of an image or query."""
    images_max: Count = 8
    """Images that are held open for paging at a time."""
    image_ttl_s: Seconds = 60.0
    """An image that is not read for so long is dropped."""
    queries_per_turn_max: Count = 64
    """Queries answered between two batches."""


class Journal(Section):
    """The engine's journal and snapshots."""

    dir: str = "{data_dir}/journal"
    """Folder of the segment files and snapshots."""
    sync: Literal["always", "interval", "none"] = "always"
    """When a record is forced to disk: before it is visible, every `sync_interval_ms`, or never by us."""
    sync_interval_ms: Milliseconds = 100
    """Longest time between two syncs under `interval`."""
    segment_bytes: Annotated[int, Field(ge=4_096, le=2**33)] = 64 * MIB
    """Size of a preallocated segment file."""
    record_bytes_max: Annotated[int, Field(ge=4_096, le=2**30)] = 16 * MIB
    """Size of one record (one batch: its commands and events)."""
    snapshots_kept: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Snapshots that are kept; older ones are removed."""


class Archive(Section):
    """The archive: replays of the journal."""

    nice: Nice = 10
    """Priority as in `nice`: consumers give way to engine and gateway when cores are short."""

    chunk_bytes_max: Annotated[int, Field(ge=1_024, le=64 * MIB)] = MIB
    """Size of one answer; it always holds at least one whole batch."""
    requests_queued_max: Count = 1_024
    """Requests waiting; beyond it, the oldest peers' requests are dropped and asked again."""
    segments_open_max: Annotated[int, Field(ge=1, le=1_024)] = 32
    """Segment files held open."""


class Gateway(Section):
    """The clients' door."""

    name: Name = "gateway-1"
    """Name of this gateway; each one running needs its own."""
    requests_per_message_max: Count = 128
    """Requests in one message of a client."""
    message_bytes_max: Annotated[int, Field(ge=1_024, le=16 * MIB)] = 256 * KIB
    """Size of one message of a client; the socket drops a peer that sends more than twice that."""
    session_in_flight_max: Count = 4_096
    """Commands of one session sent to the engine and not yet answered; beyond it `BUSY`."""
    pipe_in_flight_max: Count = 16_384
    """Commands of all sessions sent to the engine and not yet answered; beyond it `BUSY`."""
    session_requests_per_s_max: Count = 200_000
    """Requests of one session a second; beyond it `RATE_LIMITED`."""
    session_burst_max: Count = 400_000
    """Requests that a session may send at once after a pause."""
    sessions_max: Count = 1_024
    """Sessions at a time; beyond it `TOO_MANY_SESSIONS`."""
    session_idle_s_max: Seconds = 30.0
    """A session that sends nothing, heartbeats included, for so long is removed."""
    heartbeat_s: Seconds = 5.0
    """Heartbeats to each session."""
    request_timeout_s: Seconds = 10.0
    """A command not seen in the stream by then is answered `OUTCOME_UNKNOWN`."""
    logon_s_max: Seconds = 10.0
    """Time for the steps of a log-on."""
    logons_pending_max: Count = 1_024
    """Log-ons under way at a time."""
    private_ring_events_max: Count = 4_096
    """Private events kept an account, for resuming."""
    private_accounts_max: Count = 256
    """Accounts whose private events are kept: those that somebody followed; beyond it `BUSY`."""
    client_messages_max: Count = 4_000
    """Messages held for one client that does not read; when a reply does not fit, its session ends."""
    query_in_flight_max: Count = 1_024
    """Queries passed to the engine and not yet answered."""
    scram_iterations: Annotated[int, Field(ge=4_096, le=10_000_000)] = 4_096
    """Rounds of SCRAM-SHA-256 for keys made here."""


def _postgresql(text: str) -> str:
    """Return a connection string if it has the form of one."""
    if text:
        # Only who names a database waits for its driver.
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        try:
            conninfo_to_dict(text)
        except ProgrammingError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"a PostgreSQL URL or key=value words ({reason})") from None
    return text


class Recorder(Section):
    """The stream into the database, and history from it."""

    nice: Nice = 10
    """Priority as in `nice`, of an embedded PostgreSQL too; lag is caught up when there is time."""

    database: Annotated[str, AfterValidator(_postgresql)] = ""
    """PostgreSQL DSN; empty: an embedded PostgreSQL is started. Also read from ZEROPIT_DATABASE."""
    embedded_dir: str = "{data_dir}/postgres"
    """Data folder of the embedded PostgreSQL."""
    sql_schema: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = "public"
    """SQL schema of the tables; the recorders of several engines share a database by one each."""
    batch_rows_max: Count = 20_000
    """Rows of one transaction; it ends with the frame that reaches them."""
    flush_ms: Milliseconds = 50
    """Longest time that rows wait for their batch."""
    retry_s_max: Seconds = 10.0
    """Longest pause between two attempts while the database is gone."""
    query_rows_max: Count = 5_000
    """Rows of one history answer."""
    queries_queued_max: Count = 256
    """History requests waiting; beyond it they are answered `BUSY`."""


class Feed(Section):
    """Public market data."""

    nice: Nice = 5
    """Priority as in `nice`: behind engine and gateway, before the recorder."""

    depth_levels_max: Count = 5_000
    """Levels a side in a depth snapshot."""
    trades_ring_max: Count = 10_000
    """Trades kept a market for snapshots and late joiners."""
    candle_intervals: tuple[CandleInterval, ...] = (
        "1s", "5s", "15s", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M",
    )  # fmt: skip
    """Candles that are built and published."""
    candles_kept_max: Count = 1_500
    """Candles with trades kept a market and interval."""
    heartbeat_ms: Milliseconds = 500
    """A topic that was silent for so long announces its next number."""
    flush_ms: Milliseconds = 20
    """A busy market publishes depth and best prices at most this often, a quiet one at once."""
    window_ms: Milliseconds = 100
    """A market publishes its ticker and candles at most this often."""
    replay_seqs_max: Count = 1_000_000
    """A journal of at most so many events is replayed whole at a start; a longer one gives way to images."""
    history_timeout_s: Seconds = 5.0
    """How long a start waits for history; without it the 24 h windows are marked incomplete."""
    answer_rows_max: Count = 1_500
    """Rows (trades, candles, markets, tickers) of one answer."""
    query_bytes_max: Annotated[int, Field(ge=256, le=MIB)] = 4_096
    """Size of one question; the socket drops a peer that sends more."""
    queries_per_turn_max: Count = 16
    """Questions answered before the stream is looked at again."""
    answers_queued_max: Count = 64
    """Answers that wait for one slow peer; beyond it they are dropped and asked for again."""
    prefixes_max: Count = 10_000
    """Different subscriptions that are looked at to publish only what is wanted; with more, all is."""
    stream_hwm: Count = 50_000
    """Messages that the feed's PUB holds for one slow subscriber before it drops them."""


class Stream(Section):
    """Gap repair of everyone who follows the engine's stream."""

    live_buffer_frames_max: Count = 20_000
    """Live frames held while a gap is replayed; beyond it they are dropped and replayed too."""
    live_buffer_bytes_max: Count = 64 * MIB
    """Size of the live frames held while a gap is replayed; beyond it they are dropped and replayed too."""
    request_timeout_ms: Milliseconds = 2_000
    """A replay or image request that is not answered by then is sent again."""
    retry_ms_min: Milliseconds = 50
    """First pause before a request is repeated; doubles, with jitter."""
    retry_ms_max: Milliseconds = 2_000
    """Longest pause before a request is repeated."""
    silence_ms_max: Milliseconds = 2_000
    """An engine that is not heard for so long counts as gone."""


class Metrics(Section):
    """Where each component serves `/metrics` and `/health` (port 0: a free one)."""

    host: str = "127.0.0.1"
    """Address that is listened on."""
    engine_port: Port = 7101
    """Port of the engine."""
    archive_port: Port = 7102
    """Port of the archive."""
    gateway_port: Port = 7103
    """Port of the gateway."""
    recorder_port: Port = 7104
    """Port of the recorder."""
    feed_port: Port = 7105
    """Port of the feed."""


class Logs(Section):
    """Structured logs, one line an event, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["console", "json"] = "console"
    """For people, or one JSON object a line."""
    hostile_per_s_max: Count = 5
    """Lines a second about one kind of bad input; what is left out is counted in the next line."""


class Seed(Section):
    """What a first start creates."""

    file: str = "config/seed.toml"
    """Assets, markets, accounts and keys made on a venue's first start; empty: none."""
