"""The figures as a picture: how fast assignments go, beside what is possible, and what a sweep takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

OURS, FLOOR = "#0b5cad", "#8a8a8a"
"""What is ours, and what is possible."""

SHADES = (OURS, "#c2570c", "#2e7d32")


def draw(file: Path, data: dict[str, Any], *, machine: str) -> None:
    """Write a picture of what was measured; what was not is left empty, and says so."""
    mpl.rcParams["font.size"] = 9
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    axes = figure.subplots(2, 2)
    _gone(axes[0][0], "10,000 due at once under Graph's quota (in memory)", data.get("quota", []))
    _gone(axes[0][1], "1,000 due at once (in memory)", data.get("memory", []))
    axes[0][1].set_xscale("log")
    _gone(axes[1][0], "Due at once on the local tenant", data.get("local", []))
    _sweeps(axes[1][1], data.get("sweeps", []))
    figure.suptitle(f"Hourglass: revocation lag, proven gone minus due; {machine}")
    figure.savefig(file, dpi=110)


def _gone(axes: Any, title: str, lines: Sequence[dict[str, Any]]) -> None:
    """Draw how many are proven gone, against the seconds since they were due."""
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel("seconds after the end")
    axes.set_ylabel("proven gone")
    axes.grid(alpha=0.25)
    ours = 0
    for line in lines:
        spans = sorted(line["spans"])
        color = FLOOR if line["floor"] else SHADES[ours % len(SHADES)]
        ours += not line["floor"]
        style = "--" if line["floor"] else "-"
        counts = [0, *range(1, len(spans) + 1)]
        axes.step([spans[0], *spans], counts, where="post", color=color, linestyle=style, label=line["name"])
    _finish(axes, len(lines))


def _sweeps(axes: Any, lines: Sequence[dict[str, Any]]) -> None:
    axes.set_title("One sweep on Azurite, by the size of the tables", loc="left", fontweight="bold")
    axes.set_xlabel("activations in the tables")
    axes.set_ylabel("seconds")
    axes.set_xscale("log")
    axes.grid(alpha=0.25)
    for number, line in enumerate(lines):
        color = SHADES[number // 2]
        style = "--" if line["floor"] else "-"
        axes.plot(
            line["sizes"], line["seconds"], marker="o", markersize=3, color=color, linestyle=style, label=line["name"]
        )
    axes.set_ylim(bottom=0)
    _finish(axes, len(lines))


def _finish(axes: Any, lines: int) -> None:
    if lines:
        axes.legend(frameon=False, loc="best")
    else:
        axes.text(0.5, 0.5, "not measured in this run", ha="center", va="center", transform=axes.transAxes, color=FLOOR)
