"""Metrics: what is counted is what Prometheus reads; every name is documented."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from bus.metrics import SIZES, Meters
from scripts._metrics import page

ROOT = Path(__file__).parents[2]


def test_what_is_counted_is_read() -> None:
    registry = CollectorRegistry()
    meters = Meters(registry, "engine")
    batches = meters.counter("batches_total", "Batches.")
    rejects = meters.counts("rejects_total", "Rejects.", "code")
    depth = meters.gauge("queue_depth", "Waiting.")
    meters.gauge("seq", "Newest seq.", lambda: 42)
    sizes = meters.histogram("batch_commands", "Commands in a batch.", SIZES)
    meters.info("journal", "Policy.", {"sync": "always"})
    batches.value += 3
    rejects.add("EXPIRED")
    rejects.add("EXPIRED", 4)
    depth.value = 7
    for size in (1, 2, 3, 100_000):
        sizes.observe(size)
    text = generate_latest(registry).decode()
    for line in (
        "zeropit_engine_batches_total 3.0",
        'zeropit_engine_rejects_total{code="EXPIRED"} 5.0',
        "zeropit_engine_queue_depth 7.0",
        "zeropit_engine_seq 42.0",
        'zeropit_engine_batch_commands_bucket{le="1.0"} 1.0',
        'zeropit_engine_batch_commands_bucket{le="4.0"} 3.0',
        'zeropit_engine_batch_commands_bucket{le="+Inf"} 4.0',
        "zeropit_engine_batch_commands_sum 100006.0",
        'zeropit_engine_journal{sync="always"} 1.0',
    ):
        assert line in text.splitlines()


def test_a_name_is_given_once() -> None:
    meters = Meters(CollectorRegistry(), "engine")
    meters.counter("batches_total", "Batches.")
    with pytest.raises(ValueError, match="expected a new metric name"):
        meters.gauge("batches_total", "Batches.")


def test_reference_page_lists_what_the_code_counts() -> None:
    written = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    assert written == page(), "run: python -m scripts._metrics > docs/reference/metrics.md"
