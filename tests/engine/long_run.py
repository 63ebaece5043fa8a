"""Compare the real exchange with the naive one for as long as wanted.

``python -m tests.engine.long_run --commands 1000000 --seed 7`` runs one sequence after the other, from seed 7
on, each in an exchange of its own. It prints how far it is, ends with how often each rule occurred, and exits
with 1 at the first difference, having printed the seed and the fewest commands that still show it. It goes on
where it was stopped with the seed that it printed last.
"""

import argparse
import sys
import time
from collections import Counter

from tests.engine.versus import again, run, shortest

COMMANDS_A_SEED = 1_000
STATE_COMPARED_EVERY = 20
PROGRESS_EVERY_S = 10.0


def main() -> int:
    """Run and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the exchange with the naive one.")
    parser.add_argument("--commands", type=int, default=100_000, help="how many commands in all")
    parser.add_argument("--seed", type=int, default=0, help="the first sequence's seed")
    parser.add_argument("--each", type=int, default=COMMANDS_A_SEED, help="commands of one sequence")
    args = parser.parse_args()
    seen: Counter[str] = Counter()
    done, seed, told = 0, args.seed, time.monotonic()
    begun = told
    while done < args.commands:
        versus, sent, difference = run(seed, min(args.each, args.commands - done), STATE_COMPARED_EVERY)
        done += len(sent)
        seen += versus.seen
        if difference:
            print(f"seed {seed}: after {len(sent)} commands they differ\n{difference}\nfewest commands:")
            alike = difference[:40]
            fewest = shortest(sent, lambda fewer, seed=seed: bool(again(seed, fewer)))  # type: ignore[misc]
            print("\n".join(f"{now_ns} {command!r}" for now_ns, command in fewest))
            print(again(seed, fewest) or alike)
            return 1
        seed += 1
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            print(f"{done} commands, next seed {seed}, {done / (told - begun):.0f} commands/s", flush=True)
    print("\n".join(f"{count:9} {rule}" for rule, count in sorted(seen.items())))
    print(f"no difference in {done} commands, seeds {args.seed} to {seed - 1}, {len(seen)} rules seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
