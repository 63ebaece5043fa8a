"""The client SDK: trade on a Zeropit venue and follow its market data, blocking or with asyncio.

Needs pyzmq and msgpack alone. `Client` and `AsyncClient` talk to a gateway, `MarketData` and
`AsyncMarketData` to a feed. One client is for one thread (or one event loop); make as many as are needed.
"""

from ..errors import (
    Code,
    FormError,
    OutcomeUnknown,
    Rejected,
    SessionError,
    StreamError,
    ZeropitError,
)
from .aio import AsyncClient
from .blocking import Client
from .followed import Candles, Depth, Missed, Newest, Trades
from .market_data import AsyncMarketData, MarketData
from .pending import CommandAnswer, Pending
from .reports import Image, Report, Reports
from .rows import (
    AccountRules,
    Balance,
    Market,
    MarketLimits,
    OpenOrder,
    Order,
    OrderRow,
    Outcome,
    OutcomeMarket,
    Pair,
    Position,
    Status,
)
from .terms import Cancel, NewOrder, Reduce, Replace

__all__ = [
    "AccountRules",
    "AsyncClient",
    "AsyncMarketData",
    "Balance",
    "Cancel",
    "Candles",
    "Client",
    "Code",
    "CommandAnswer",
    "Depth",
    "FormError",
    "Image",
    "Market",
    "MarketData",
    "MarketLimits",
    "Missed",
    "NewOrder",
    "Newest",
    "OpenOrder",
    "Order",
    "OrderRow",
    "Outcome",
    "OutcomeMarket",
    "OutcomeUnknown",
    "Pair",
    "Pending",
    "Position",
    "Reduce",
    "Rejected",
    "Replace",
    "Report",
    "Reports",
    "SessionError",
    "Status",
    "StreamError",
    "Trades",
    "ZeropitError",
]
