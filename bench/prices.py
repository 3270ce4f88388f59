"""What calls cost at list prices: ``prices.json`` has them with their date and source. Pure but for reading that file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE = Path(__file__).parent / "prices.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of a million calls, and since when they are known."""

    tables: float
    bus: float
    directory: float
    currency: str
    as_of: str

    @classmethod
    def read(cls) -> Self:
        """Read the file."""
        found = json.loads(FILE.read_text(encoding="utf-8"))
        each = {name: float(found[name]["per_million"]) for name in ("tables", "bus", "directory")}
        return cls(**each, currency=found["currency"], as_of=found["as_of"])

    def of_a_million(self, calls: Mapping[str, int]) -> float:
        """Return what a million lives cost that each make these calls."""
        each = {"tables": self.tables, "bus": self.bus, "directory": self.directory}
        return sum(each[to] * times for to, times in calls.items())
