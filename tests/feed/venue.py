"""A venue whose books are deep: most orders rest away from the best price."""

from bus import commands as c
from tests.recorder.venue import MARKETS, TRADERS
from tests.recorder.venue import Venue as AnyVenue

__all__ = ["MARKETS", "Venue"]


class Venue(AnyVenue):
    """The crowd, and among it people who quote on both sides."""

    def _command(self) -> c.Command:
        random = self.random
        if random.random() < 0.5:
            return super()._command()
        side = random.choice((1, 2))
        price = random.randint(960, 999) if side == c.Side.BUY else random.randint(1_001, 1_040)
        head = (self._id(), random.choice(TRADERS), self._until(), random.choice(MARKETS))
        return c.PlaceOrder(*head, side, 1, 1, False, price, random.randint(1, 50), 0)
