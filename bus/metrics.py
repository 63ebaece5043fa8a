"""Metrics that cost a hot path one integer addition, read only when someone asks.

Invariant: counting never locks, allocates or formats. The numbers are plain attributes of the objects
below; `Meters` turns them into Prometheus' text when `/metrics` is read, in another thread, so a reading
may be torn between two numbers but each number is one that was true.

::

    meters = Meters(host.registry, "engine")
    commands = meters.counts("commands_total", "Commands executed.", "kind")
    batch = meters.histogram("batch_commands", "Commands in a batch.", SIZES)
    commands.add("PlaceOrder")
    batch.observe(17)
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCIES_S = (
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Buckets for durations in seconds."""

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 16_384.0)
"""Buckets for counts."""


class Counter:
    """A number that only grows: ``counter.value += n``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Counts:
    """A counter for each value of one label; the label's values must be few and ours, never a client's."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by: dict[str, int] = {}

    def add(self, label: str, n: int = 1) -> None:
        """Count ``n`` more under a label."""
        self.by[label] = self.by.get(label, 0) + n


class Gauge:
    """A number that goes up and down: ``gauge.value = n``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Histogram:
    """How often a value fell into each bucket; `observe` is O(log buckets)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total: float = 0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """Yield (upper bound, values at or below it), the last with ``+Inf``."""
        below = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), tuple(self.counts), strict=True):
            below += count
            yield bound, below


class Meters(Collector):
    """The metrics of one component, named ``zeropit_<component>_<name>``.

    Raises
    ------
    ValueError
        When a name is given twice (a mistake in the code).
    """

    def __init__(self, registry: CollectorRegistry, component: str) -> None:
        self._prefix = f"zeropit_{component}_"
        self._families: dict[str, Callable[[], Metric]] = {}
        registry.register(self)

    def counter(self, name: str, text: str, read: Callable[[], int] | None = None) -> Counter:
        """Return a new counter; the name ends in ``_total``. With ``read``, it is asked at each reading."""
        counter = Counter()
        self._add(name, lambda full: CounterMetricFamily(full, text, value=read() if read else counter.value))
        return counter

    def counts(self, name: str, text: str, label: str) -> Counts:
        """Return a new counter with one label; the name ends in ``_total``."""
        counts = Counts()

        def family(full: str) -> Metric:
            found = CounterMetricFamily(full, text, labels=[label])
            for value, count in tuple(counts.by.items()):
                found.add_metric([value], count)
            return found

        self._add(name, family)
        return counts

    def gauge(self, name: str, text: str, read: Callable[[], float] | None = None) -> Gauge:
        """Return a new gauge; with ``read``, its value is asked for at each reading (keep it cheap)."""
        gauge = Gauge()
        self._add(name, lambda full: GaugeMetricFamily(full, text, value=read() if read else gauge.value))
        return gauge

    def histogram(self, name: str, text: str, bounds: Sequence[float] = LATENCIES_S) -> Histogram:
        """Return a new histogram; the name ends in its unit (``_seconds``, ``_commands``)."""
        histogram = Histogram(bounds)
        self._add(
            name,
            lambda full: HistogramMetricFamily(
                full, text, buckets=list(histogram.cumulative()), sum_value=histogram.total
            ),
        )
        return histogram

    def info(self, name: str, text: str, labels: dict[str, str]) -> None:
        """Add a constant gauge of 1 whose labels say something (a version, the sync policy)."""

        def family(full: str) -> Metric:
            found = GaugeMetricFamily(full, text, labels=list(labels))
            found.add_metric(list(labels.values()), 1)
            return found

        self._add(name, family)

    def collect(self) -> Iterable[Metric]:
        """Yield everything as it is now (called by prometheus-client)."""
        for make in tuple(self._families.values()):
            yield make()

    def _add(self, name: str, make: Callable[[str], Metric]) -> None:
        """Remember how to show one metric."""
        if name in self._families:
            raise ValueError(f"expected a new metric name, was {name!r} again")
        full = self._prefix + name
        self._families[name] = lambda: make(full)
