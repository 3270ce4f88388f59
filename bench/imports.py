"""What indexing costs: `import function_app` beside `import azure.functions` alone, in fresh processes, in turn."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = ("msgraph", "azure.identity", "azure.servicebus", "azure.data.tables", "jinja2")
_MEASURE = """
import json, resource, sys, time
began = time.perf_counter()
import {module}
took = time.perf_counter() - began
print(json.dumps({{"seconds": took, "modules": sorted(sys.modules)}}))
"""


@dataclass(frozen=True, slots=True)
class Imports:
    """Best of the runs, in seconds; ``heavy`` lists what should not have been loaded and was."""

    floor: float
    ours: float
    heavy: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Ours, as a multiple of the floor."""
        return self.ours / self.floor


def measure(runs: int = 9) -> Imports:
    """Return the cost of both imports; the fastest run of each, since only noise makes one slower."""
    floor, ours, loaded = [], [], set[str]()
    for _ in range(runs):
        floor.append(_run("azure.functions")[0])
        seconds, modules = _run("function_app")
        ours.append(seconds)
        loaded |= modules
    return Imports(min(floor), min(ours), tuple(name for name in HEAVY if name in loaded))


def _run(module: str) -> tuple[float, set[str]]:
    command = [sys.executable, "-c", _MEASURE.format(module=module)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    result = json.loads(output.splitlines()[-1])
    return float(result["seconds"]), set(result["modules"])
