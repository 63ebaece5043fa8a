"""Market data from a real feed: followed while trading, and over a feed that dies."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.client import AsyncMarketData, Client, MarketData, Rejected, SessionError
from bus.errors import ServiceError
from tests.processes import Processes

MARKET = "BTC-USD"


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    with Processes(short_dir) as processes:
        processes.start_all(("engine", "archive", "gateway", "feed"))
        yield processes


def endpoints(venue: Processes) -> tuple[str, str]:
    return f"ipc://{venue.folder}/run/feed_stream", f"ipc://{venue.folder}/run/feed_query"


def demo(venue: Processes) -> Client:
    return Client(f"ipc://{venue.folder}/run/gateway", "demo-1", "demo-1-secret", timeout_s=30)


def test_all_that_can_be_followed(venue: Processes) -> None:
    with demo(venue) as client, MarketData(*endpoints(venue), timeout_s=30) as data:
        book, trades = data.ready(data.depth(MARKET)), data.ready(data.trades(MARKET))
        best, ticker = data.ready(data.best(MARKET)), data.ready(data.ticker(MARKET))
        candles, market = data.ready(data.candles(MARKET, "1s")), data.ready(data.market(MARKET))
        client.place(MARKET, "buy", price="100", qty="0.5")
        client.place(MARKET, "sell", price="101", qty="0.5")
        client.place(MARKET, "sell", price="100", qty="0.2")

        def told() -> bool:
            return (
                book.market_seq == 3
                and trades.last_trade_id == 1
                and best.value is not None
                and best.value.market_seq == 3
                and ticker.value is not None
                and ticker.value.last_trade_id == 1
                and bool(candles.rows)
            )

        assert data.until(told, 30)
        units = data.units[MARKET]
        assert [(units.price(p), units.qty(q)) for p, q in book.bids(5)] == [("100", "0.3")]
        assert [(units.price(p), units.qty(q)) for p, q in book.asks(5)] == [("101", "0.5")]
        trade = next(data.each(trades))
        assert (trade[0], trade[1]) == (1, 10_000)
        assert list(data.each(trades, timeout_s=0)) == []
        assert best.value is not None
        assert best.value.bid_ticks == 10_000
        assert candles.rows[0].trades == 1
        assert market.value is not None
        assert market.value.state == 1
        assert data.silence_s < 30
        assert data.markets()[MARKET].base == "BTC"
        assert data.query("book", MARKET)[0] == 10_000


def test_auctions_and_offers(venue: Processes) -> None:
    operator = Client(f"ipc://{venue.folder}/run/gateway", "operator", "operator-secret", timeout_s=30)
    with operator, demo(venue) as client, MarketData(*endpoints(venue), timeout_s=30) as data:
        operator.create_outcome_market("derby", "USD", runners=["a", "b"], lot_size="0.01", qty_max="1000")
        client.back("derby:a", odds="2", stake="10")
        offers = data.offers("derby:b")
        assert data.until(lambda: bool(offers.value), 30), "a back of one runner is a lay of the other"
        assert offers.value is not None
        (offer,) = offers.value
        assert (offer.price_ticks, offer.lots, offer.side) == (200, 1_000, 1)
        operator.set_market_state(MARKET, "pre_open")
        auction = data.auction(MARKET)
        client.place(MARKET, "buy", price="101", qty="2")
        client.place(MARKET, "sell", price="99", qty="1")

        def told(done: bool, lots: int) -> bool:
            now = auction.value
            return now is not None and (now.done, now.lots) == (done, lots)

        assert data.until(lambda: told(False, 10**8), 30)
        operator.set_market_state(MARKET, "open")
        assert data.until(lambda: told(True, 10**8), 30)


def test_a_feed_that_dies_costs_nothing_but_time(venue: Processes) -> None:
    with demo(venue) as client, MarketData(*endpoints(venue), timeout_s=30) as data:
        book, trades = data.ready(data.depth(MARKET)), data.ready(data.trades(MARKET))
        seen: list[int] = []

        def trade_and_look(count: int) -> None:
            for i in range(count):
                client.place_ticks(MARKET, 1 + i % 2, 10_000 + 3 * (i % 5), 1 + i % 7)
            assert client.flush()

        trade_and_look(500)
        data.pump()
        venue.kill("feed")
        trade_and_look(500)
        venue.start("feed")
        trade_and_look(500)
        final = client.markets()[MARKET]

        def complete() -> bool:
            while (item := trades.next()) is not None:
                seen.append(item[0])
            return book.ready and book.market_seq == final.market_seq and len(seen) == final.last_trade_id

        assert data.until(complete, 30)
        assert seen == list(range(1, final.last_trade_id + 1))
        assert book.mismatches == 0
        orders = client.open_orders(MARKET)
        assert sum(lots for _, lots in book.bids(1_000) + book.asks(1_000)) == sum(
            order.row.left_lots for order in orders
        )


def test_refusals_are_typed(venue: Processes, short_dir: Path) -> None:
    with MarketData(*endpoints(venue), timeout_s=30) as data, pytest.raises(Rejected):
        data.ready(data.depth("BTC-EUR"))
    nowhere = f"ipc://{short_dir}/nowhere"
    with pytest.raises(SessionError), MarketData(nowhere, nowhere, timeout_s=0.2):
        pass
    with MarketData(*endpoints(venue), timeout_s=30) as data:
        other = data.depth(MARKET)
        data.leave(other)
        with pytest.raises(SessionError):
            data.ready(other, timeout_s=0.1)


@pytest.mark.parametrize("endpoints", [("nonsense", "tcp://127.0.0.1:1"), ("tcp://127.0.0.1:1", "nonsense")])
def test_an_endpoint_that_is_none_is_said_at_once(endpoints: tuple[str, str]) -> None:
    with pytest.raises(ServiceError), MarketData(*endpoints):
        pass

    async def main() -> None:
        with pytest.raises(ServiceError):
            async with AsyncMarketData(*endpoints):
                pass

    asyncio.run(main())


def test_the_asyncio_client(venue: Processes) -> None:
    async def main() -> None:
        async with AsyncMarketData(*endpoints(venue), timeout_s=30) as data:
            book = await data.ready(data.depth(MARKET))
            trades = await data.ready(data.trades(MARKET))
            await asyncio.to_thread(trade)
            assert await data.until(lambda: book.market_seq == 2, 30)
            async for item in data.each(trades):
                assert item[0] == 1
                break
            assert (await data.markets())[MARKET].last_trade_id == 1
            with pytest.raises(Rejected):
                await data.query("ticker", "BTC-EUR")
            missing = data.depth("BTC-EUR")
            with pytest.raises(Rejected):
                await data.ready(missing)

    def trade() -> None:
        with demo(venue) as client:
            client.place(MARKET, "buy", price="100", qty="0.5")
            client.place(MARKET, "sell", price="100", qty="0.2")

    asyncio.run(main())
