"""The client SDK: trade on a Zeropit venue and follow its market data, blocking or with asyncio.

Needs pyzmq and msgpack alone. `Client` and `AsyncClient` talk to a gateway. One client is for one thread
(or one event loop); make as many as are needed.
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
from .pending import CommandAnswer, Pending
from .reports import Image, Report, Reports
from .rows import Balance, Market, OpenOrder, Order, OrderRow, Status

__all__ = [
    "AsyncClient",
    "Balance",
    "Client",
    "Code",
    "CommandAnswer",
    "FormError",
    "Image",
    "Market",
    "OpenOrder",
    "Order",
    "OrderRow",
    "OutcomeUnknown",
    "Pending",
    "Rejected",
    "Report",
    "Reports",
    "SessionError",
    "Status",
    "StreamError",
    "ZeropitError",
]
