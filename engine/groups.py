"""Order groups: a group that has traded too much within its window trips, and its orders go.

Invariant: a tripped group has no open order once the follow-ups of the command that tripped it are done.
"""


class Group:
    """An order group of an account."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
