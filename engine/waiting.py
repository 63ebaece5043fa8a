"""Orders that wait for a trigger price, and how they come to the book.

Invariant: after each command, no order waits whose trigger price the command's trades touched.
"""


class Stops:
    """The orders of one book that wait for a trigger price."""

    __slots__ = ()
