"""Both clients against the venue's real processes: calls, errors, reports, and processes that die."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bus.client import (
    AsyncClient,
    Client,
    Code,
    FormError,
    Image,
    Rejected,
    Report,
    SessionError,
    Status,
    ZeropitError,
)
from bus.commands import PlaceOrder, Role
from bus.errors import ServiceError
from bus.events import OrderAccepted, OrderCancelled, TradeExecuted
from tests.poll import until
from tests.processes import Processes

MARKET = "BTC-USD"
COMPONENTS = ("engine", "archive", "gateway")


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    with Processes(short_dir, "gateway.heartbeat_s=0.5") as processes:
        processes.start_all(COMPONENTS)
        yield processes
        for component in COMPONENTS:
            print(processes.log(component))


def gateway(venue: Processes) -> str:
    return f"ipc://{venue.folder}/run/gateway"


def demo(venue: Processes, number: int = 1, **options: float) -> Client:
    timeout_s = options.get("timeout_s", 30.0)
    return Client(
        gateway(venue), f"demo-{number}", f"demo-{number}-secret", timeout_s=timeout_s, valid_for_s=60.0
    )


def operator(venue: Processes) -> Client:
    return Client(gateway(venue), "operator", "operator-secret")


def refused(error: pytest.ExceptionInfo[ZeropitError]) -> Code:
    return error.value.code


def test_an_order_from_first_to_last(venue: Processes) -> None:
    with demo(venue) as buyer, demo(venue, 2) as seller:
        order = buyer.place(MARKET, "buy", price="100.00", qty="0.5")
        assert (order.status, order.filled, order.left) == (Status.OPEN, "0", "0.5")
        assert buyer.balances()["USD"].held == "50"
        assert [(o.order_id, o.price) for o in buyer.open_orders(MARKET)] == [(order.order_id, "100")]
        taken = seller.place(MARKET, "sell", price="99.00", qty="0.2", time_in_force="ioc")
        assert (taken.status, taken.filled) == (Status.FILLED, "0.2")
        found = buyer.order(MARKET, client_order_id=order.client_order_id)
        assert (found.filled, found.left, found.side) == ("0.2", "0.3", "buy")
        assert buyer.amend(MARKET, order_id=order.order_id, qty="0.4").left == "0.2"
        assert buyer.amend(MARKET, order_id=order.order_id, price="98").left == "0.2"
        assert buyer.replace(MARKET, order_id=order.order_id, price="97", qty="0.3").left == "0.1"
        assert buyer.reduce(MARKET, order_id=order.order_id, qty="0.25").left == "0.05"
        cancelled = buyer.cancel(MARKET, client_order_id=order.client_order_id)
        assert (cancelled.status, cancelled.filled) == (Status.CANCELLED, "0.2")
        with pytest.raises(Rejected) as error:
            buyer.order(MARKET, order_id=order.order_id)
        assert refused(error) is Code.UNKNOWN_ORDER
        assert buyer.answer_of(order.client_order_id).order_id == order.order_id
        assert buyer.markets()[MARKET].last_price == "100"


def test_market_orders_and_mass_cancel(venue: Processes) -> None:
    with demo(venue) as maker, demo(venue, 2) as taker:
        for price in ("100", "101", "102"):
            maker.place(MARKET, "sell", price=price, qty="1")
        assert taker.place(MARKET, "buy", qty="0.5").filled == "0.5"
        assert taker.place(MARKET, "buy", budget="50").filled == "0.5"
        assert taker.place(MARKET, "buy", qty="5").status is Status.CANCELLED
        nothing = taker.place(MARKET, "buy", qty="5")
        assert (nothing.status, nothing.filled) == (Status.CANCELLED, "0")
        maker.place(MARKET, "buy", price="1", qty="1")
        maker.cancel_all()
        assert maker.open_orders() == []


def test_errors_are_typed(venue: Processes) -> None:
    with demo(venue) as client:
        with pytest.raises(FormError) as form:
            client.place(MARKET, "buy", price="100.001", qty="1")
        assert refused(form) is Code.OFF_TICK
        with pytest.raises(FormError):
            client.place(MARKET, "borrow", price="100", qty="1")  # type: ignore[arg-type]
        with pytest.raises(FormError):
            client.amend(MARKET, order_id=1)
        with pytest.raises(Rejected) as rejected:
            client.place(MARKET, "buy", price="100", qty="400", client_order_id="too-much")
            client.place(MARKET, "buy", price="1000000", qty="400")
        assert refused(rejected) is Code.INSUFFICIENT_FUNDS
        with pytest.raises(Rejected) as unknown:
            client.place("BTC-EUR", "buy", price="100", qty="1")
        assert refused(unknown) is Code.UNKNOWN_MARKET
        with pytest.raises(SessionError) as other:
            client.place(MARKET, "buy", price="100", qty="1", account="demo-2")
        assert refused(other) is Code.NOT_AUTHORIZED
        with pytest.raises(Rejected) as late:
            client.place(MARKET, "buy", price="100", qty="1", valid_for_s=-1)
        assert refused(late) is Code.EXPIRED
        again = client.place(MARKET, "buy", price="100", qty="400", client_order_id="too-little")
        assert again.status is Status.OPEN
        with pytest.raises(Rejected) as doubled:
            client.place(MARKET, "buy", price="100", qty="1", client_order_id="too-little")
        assert refused(doubled) is Code.DUPLICATE_ID
    with pytest.raises(SessionError) as failed, Client(gateway(venue), "demo-1", "guessed"):
        pass
    assert refused(failed) is Code.LOGON_FAILED


def test_administration(venue: Processes) -> None:
    with operator(venue) as admin:
        admin.create_asset("EUR", 8)
        admin.create_market(
            "BTC-EUR",
            "BTC",
            "EUR",
            tick_size="0.010",
            lot_size="0.000001",
            price_max="1000000",
            qty_max="1000",
            taker_fee_ppm=100,
        )
        admin.create_account("carol")
        admin.create_key("carol-key", "a secret", accounts=["carol"], roles=Role.TRADER | Role.READER)
        admin.deposit("carol", "EUR", "1000.5")
        admin.withdraw("carol", "EUR", "0.5")
        with Client(gateway(venue), "carol-key", "a secret") as carol:
            assert carol.account == "carol"
            assert carol.balances()["EUR"].available == "1000"
            order = carol.place("BTC-EUR", "buy", price="10", qty="1")
            admin.halt("BTC-EUR")
            with pytest.raises(Rejected) as halted:
                carol.place("BTC-EUR", "buy", price="10", qty="1")
            assert refused(halted) is Code.MARKET_HALTED
            assert not carol.markets()["BTC-EUR"].is_open
            admin.open("BTC-EUR")
            admin.cancel_market("BTC-EUR")
            with pytest.raises(Rejected):
                carol.order("BTC-EUR", order_id=order.order_id)
            admin.block_account("carol")
            with pytest.raises(Rejected) as blocked:
                carol.place("BTC-EUR", "buy", price="10", qty="1")
            assert refused(blocked) is Code.ACCOUNT_BLOCKED
            admin.activate_account("carol")
            assert carol.place("BTC-EUR", "buy", price="10", qty="1").status is Status.OPEN
        admin.revoke_key("carol-key")
        with pytest.raises(SessionError), Client(gateway(venue), "carol-key", "a secret"):
            pass


def test_reports_begin_with_an_image_and_miss_nothing(venue: Processes) -> None:
    with demo(venue) as client:
        client.place(MARKET, "buy", price="100", qty="1")
        reports = client.reports(timeout_s=30)
        image = next(reports)
        assert isinstance(image, Image)
        assert [order.price_ticks for order in image.orders] == [10_000]
        client.place(MARKET, "sell", price="100", qty="0.25")
        client.cancel_all()
        events: list[object] = []
        while not events or not isinstance(events[-1], OrderCancelled):
            report = next(reports)
            assert isinstance(report, Report)
            assert report.account_seq == image.account_seq + 1 + len(events)
            events.append(report.event)
        assert [type(event) for event in events] == [
            OrderAccepted,
            TradeExecuted,
            TradeExecuted,
            OrderCancelled,
        ]
        again = client.reports(after=image.account_seq, timeout_s=30)
        assert [next(again).account_seq for _ in events] == [
            image.account_seq + 1 + i for i in range(len(events))
        ]


def test_pipelined_orders_keep_their_order_and_their_callbacks(venue: Processes) -> None:
    called: list[int] = []
    with demo(venue) as client:
        pendings = [
            client.place_ticks(MARKET, 1, 10_000 - i, 1, callback=lambda p: called.append(p.answer.order_id))
            for i in range(3_000)
        ]
        assert client.flush()
        assert {pending.code for pending in pendings} == {0}
        ids = [pending.answer.order_id for pending in pendings]
        assert ids == sorted(ids)
        assert called == ids
        cancels = [client.cancel_id(MARKET, order_id=order_id) for order_id in ids]
        assert client.wait(cancels)
        assert {pending.code for pending in cancels} == {0}
        assert client.open_orders() == []


def test_a_broker_acts_for_several_accounts(venue: Processes) -> None:
    with operator(venue) as admin:
        for name in ("house", "pool"):
            admin.create_account(name)
            admin.deposit(name, "USD", "1000")
        admin.create_key("broker", "b", accounts=["house", "pool"], roles=Role.BROKER | Role.READER)
    with Client(gateway(venue), "broker", "b", account="pool") as broker:
        broker.place(MARKET, "buy", price="10", qty="1")
        broker.place(MARKET, "buy", price="10", qty="2", account="house")
        assert [o.qty for o in broker.open_orders()] == ["1"]
        assert [o.qty for o in broker.open_orders(account="house")] == ["2"]


@pytest.mark.parametrize("endpoint", ["", "tcp://", "nonsense", "tcp://127.0.0.1"])
def test_an_endpoint_that_is_none_is_said_at_once(endpoint: str) -> None:
    with pytest.raises(ServiceError), Client(endpoint, "demo-1", "x"):
        pass

    async def main() -> None:
        with pytest.raises(ServiceError):
            async with AsyncClient(endpoint, "demo-1", "x"):
                pass

    asyncio.run(main())


def test_no_gateway_is_a_definite_refusal_in_time(short_dir: Path) -> None:
    client = Client(f"ipc://{short_dir}/nobody", "demo-1", "x", timeout_s=0.3)
    with pytest.raises(SessionError) as error:
        client.connect()
    assert refused(error) is Code.NOT_READY
    assert error.value.outcome == "rejected"
    client.close(0.0)
    with pytest.raises(SessionError):
        client.balances()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("victim", ["gateway", "engine"])
def test_a_killed_process_costs_no_order_and_doubles_none(venue: Processes, victim: str, seed: int) -> None:
    random = Random(seed)
    kill_at = sorted(random.sample(range(200, 2_800), 2))
    with demo(venue) as client:
        reports = client.follow()
        pendings = []
        for i in range(3_000):
            pendings.append(client.place_ticks(MARKET, 1, 10_000 - i % 500, 1 + i))
            if i % 50 == 0:
                client.pump()
            if i in kill_at:
                venue.kill(victim)
                venue.start(victim)
        assert client.flush(60)
        assert {pending.code for pending in pendings} == {0}
        ids = [pending.answer.order_id for pending in pendings]
        assert ids == sorted(set(ids))
        assert len(client.open_orders()) == 3_000
        assert client.session.connections >= (2 if victim == "gateway" else 1)
        seen: list[int] = []

        def all_reported() -> bool:
            client.pump(0.05)
            while (item := reports.next()) is not None:
                if isinstance(item, Image):
                    seen[:] = [order.order_id for order in item.orders]
                elif isinstance(item.event, OrderAccepted):
                    seen.append(item.event.order_id)
            return len(seen) >= 3_000

        until(all_reported)
        assert seen == ids


def test_a_client_that_slept_comes_back_by_itself(short_dir: Path) -> None:
    with Processes(short_dir, "gateway.heartbeat_s=0.2", "gateway.session_idle_s_max=0.5") as venue:
        venue.start_all(COMPONENTS)
        with demo(venue) as sleeper, demo(venue, 2) as other:
            deadline_s = time.monotonic() + 1.5
            while time.monotonic() < deadline_s:
                other.pump(0.1)
            assert other.session.connections == 1
            assert sleeper.place(MARKET, "buy", price="1", qty="1").status is Status.OPEN
            assert sleeper.session.connections == 2


def test_the_asyncio_client(venue: Processes) -> None:
    async def main() -> None:
        async with AsyncClient(gateway(venue), "demo-1", "demo-1-secret") as client:
            reports = client.reports()
            image = await anext(reports)
            assert isinstance(image, Image)
            order = await client.place(MARKET, "buy", price="100", qty="1")
            assert order.status is Status.OPEN
            report = await anext(reports)
            assert isinstance(report, Report)
            assert isinstance(report.event, OrderAccepted)
            many = await asyncio.gather(
                *(client.place(MARKET, "buy", price="99", qty="0.1") for _ in range(100))
            )
            assert len({order.order_id for order in many}) == 100
            pendings = []
            for i in range(3_000):
                await client.room()
                pendings.append(client.place_ticks(MARKET, 1, 5_000 - i, 1))
            assert await client.wait(pendings)
            assert {pending.code for pending in pendings} == {0}
            with pytest.raises(Rejected):
                await client.cancel(MARKET, order_id=1)
            await client.cancel_all()
            assert await client.open_orders() == []
            venue.kill("gateway")
            asking = asyncio.create_task(client.balances())
            await asyncio.to_thread(venue.start, "gateway")
            assert (await asking)["USD"].held == "0"
            valid_ns = client.valid_until_ns()
            pending = client.send(
                PlaceOrder("mine-1", "demo-1", valid_ns, MARKET, 1, 1, 1, False, 100, 10, 0)
            )
            assert await client.flush()
            assert pending.answer.left_lots == 10
            await reports.aclose()  # type: ignore[attr-defined]
        with pytest.raises(SessionError):
            await client.balances()

    asyncio.run(main())


def test_the_asyncio_client_closes_without_a_gateway(short_dir: Path) -> None:
    async def main() -> None:
        client = AsyncClient(f"ipc://{short_dir}/nobody", "demo-1", "x", timeout_s=0.2, account="a")
        pending = client.place_ticks(MARKET, 1, 1, 1)
        with pytest.raises(SessionError) as error:
            await client.connect()
        assert refused(error) is Code.NOT_READY
        await client.close(0.1)
        assert pending.code == Code.NOT_LOGGED_ON

    asyncio.run(main())


def test_what_is_no_order_is_refused_with_a_typed_error(venue: Processes) -> None:
    with demo(venue) as client:
        for valid_for_s, code in (
            ("1", Code.WRONG_TYPE),
            (float("nan"), Code.OUT_OF_RANGE),
            (True, Code.WRONG_TYPE),
        ):
            with pytest.raises(FormError) as caught:
                client.place(MARKET, "buy", price="1.00", qty="1", valid_for_s=valid_for_s)  # type: ignore[arg-type]
            assert refused(caught) is code
        with pytest.raises(FormError) as caught:
            client.send("hello")  # type: ignore[arg-type]
        assert refused(caught) is Code.UNSUPPORTED_TYPE
        for side in (1.9, "buy", None):
            pending = client.place_ticks(MARKET, side, 100, 1)  # type: ignore[arg-type]
            client.wait([pending])
            assert pending.code == Code.WRONG_TYPE
        with pytest.raises(FormError):
            client.place(MARKET, ["buy"], price="1.00", qty="1")  # type: ignore[arg-type]
        assert client.open_orders() == []


def test_a_key_that_may_not_act_for_the_account_is_told_so_at_once(venue: Processes) -> None:
    with (
        pytest.raises(SessionError) as caught,
        Client(gateway(venue), "demo-1", "demo-1-secret", account="demo-2") as client,
    ):
        client.balances()
    assert refused(caught) is Code.NOT_AUTHORIZED
