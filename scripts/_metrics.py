"""The reference page of all metrics, read from the code: ``python -m scripts._metrics``.

Invariant: a metric is declared by a call such as ``meters.counter("name_total", "What it counts.")`` with
both texts written out, so that the page cannot miss one.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "counter": "counter",
    "counts": "counter",
    "gauge": "gauge",
    "histogram": "histogram",
    "info": "info",
}

TITLES = {"engine": "engine, archive", "bus": "every component that follows the stream"}

HEAD = """# Metrics

Made by `python -m scripts._metrics`. Each component serves `/metrics` (Prometheus text) and `/health` (JSON)
on its own port, section `metrics` of [settings](settings.md). A metric's full name is
`zeropit_<component>_<name>`, with the components `engine`, `archive`, `gateway`, `recorder` and `feed`.
"""


def declared(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (name, kind, text) of every metric that a file declares, in its order."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        texts = [
            arg.value for arg in node.args[:3] if isinstance(arg, ast.Constant) and type(arg.value) is str
        ]
        if node.func.attr in KINDS and len(texts) >= 2:
            label = f" by `{texts[2]}`" if node.func.attr == "counts" and len(texts) > 2 else ""
            yield texts[0], KINDS[node.func.attr] + label, texts[1]


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for package in ("engine", "gateway", "recorder", "feed", "bus"):
        title = TITLES.get(package, package)
        rows = [row for path in sorted((ROOT / package).rglob("*.py")) for row in declared(path)]
        if rows:
            lines += [f"## {title}", "", "| name | kind | what it says |", "|---|---|---|"]
            lines += [f"| `{name}` | {kind} | {text} |" for name, kind, text in sorted(set(rows))]
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
