"""Draw a figure of plotly by matplotlib, for PNG, SVG and PDF without a browser.

What our own pictures are made of is understood: lines, marks, filled outlines, error bars, heat
maps, reference lines, titles, panels. Anything else is refused rather than left out.
"""

from __future__ import annotations

import html
import itertools
import os
import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from citytune._errors import InputError

if TYPE_CHECKING:
    from citytune.pictures._chart import Chart

DOTS_PER_INCH = 100
"""Of a figure's own pixels; a PNG has twice as many."""
KINDS = (".png", ".svg", ".pdf")
DASHES = {"dot": [1.0, 2.0], "dash": [4.0, 2.0]}
LABEL = 48
"""Letters in a line of the name of a bar."""
MARKS = {"circle": "o", "square": "s", "diamond": "D", "square-open": "s", "diamond-open": "D"}


def save(figure: Chart, path: str | os.PathLike[str]) -> None:
    """Write the figure as PNG, SVG or PDF.

    Raises:
        InputError: another ending, no matplotlib, or something that is not understood.
    """
    name = os.fspath(path)
    if not name.lower().endswith(KINDS):
        raise InputError(f"a picture is saved as .png, .svg, .pdf or .html, got {name!r}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "saving a picture without a browser needs matplotlib, which is not installed; run "
            "`pip install 'citytune[plot]'`, or save it as .html"
        ) from None
    layout = figure.layout
    size = (layout.width or 900, layout.height or 420)
    inches = (size[0] / DOTS_PER_INCH, size[1] / DOTS_PER_INCH)
    paper = Figure(figsize=inches, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(paper)
    _Drawing(figure, paper, size).draw()
    paper.savefig(name, dpi=2 * DOTS_PER_INCH, facecolor="white")


class _Drawing:
    """One figure on its way to paper."""

    def __init__(self, figure: Chart, paper: Any, size: tuple[float, float]) -> None:
        self.layout, self.traces, self.paper, self.size = figure.layout, figure.data, paper, size
        self.axes: dict[tuple[str, str], Any] = {}
        self.legend: dict[str, Any] = {}
        self.map: Any = None
        names = [_wrapped(one) for trace in self.traces if _is_lying(trace) for one in trace.y]
        words = max((len(line) for name in names for line in name.split("\n")), default=0)
        self.left = max(75.0, figure.layout.margin.l or 0.0, 30 + 6.5 * words)  # pixels for labels

    def draw(self) -> None:
        for trace in self.traces:
            axes = self.axis(trace.xaxis or "x", trace.yaxis or "y")
            if trace.type == "scatter":
                self.scatter(axes, trace)
            elif _is_lying(trace):
                self.bars(axes, trace)
            elif trace.type == "heatmap":
                self.heat(axes, trace)
            else:
                raise InputError(
                    f"a trace of the kind {trace.type!r} can be drawn in a browser only; save the "
                    "picture as .html"
                )
        self.lines()
        self.words()

    def place(self, across: Any, up: Any) -> list[float]:
        """Corner and size of a panel on the paper, 0 … 1, within margins for its labels."""
        wide, high = self.size
        left, right, top, bottom = self.left / wide, 30 / wide, 60 / high, 100 / high
        inner = 1 - left - right, 1 - top - bottom
        (x0, x1), (y0, y1) = across or (0, 1), up or (0, 1)
        return [left + x0 * inner[0], bottom + y0 * inner[1],
                (x1 - x0) * inner[0], (y1 - y0) * inner[1]]  # fmt: skip

    def axis(self, x: str, y: str) -> Any:
        """The panel of two of plotly's axes, made when it is first asked for."""
        if (x, y) in self.axes:
            return self.axes[x, y]
        across, up = self.layout[_long(x)], self.layout[_long(y)]
        axes = self.paper.add_axes(self.place(across.domain, up.domain))
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        ink = self.layout.font.color or "black"
        axes.tick_params(colors=ink, length=0, labelsize=9)
        axes.grid(visible=True, color=across.gridcolor or "#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_xlabel(_plain(across.title.text), color=ink, fontsize=9)
        axes.set_ylabel(_plain(up.title.text), color=ink, fontsize=9)
        self.axes[x, y] = axes
        return axes

    def scatter(self, axes: Any, trace: Any) -> None:
        x, y = _numbers(trace.x), _numbers(trace.y)
        colour = trace.line.color or trace.marker.color
        if trace.fill == "toself":
            for part in _parts(x, y):
                axes.fill(x[part], y[part], color=_rgba(trace.fillcolor), linewidth=0)
            handle = axes.fill([], [], color=_rgba(trace.fillcolor), linewidth=0)[0]
        else:
            mode = trace.mode or "lines"
            mark = MARKS.get(trace.marker.symbol or "circle", "o") if "markers" in mode else None
            handle = axes.plot(
                x, y, color=_rgba(colour), linewidth=trace.line.width or 1.5,
                linestyle=_dash(trace.line.dash) if "lines" in mode else "none",
                marker=mark, markersize=(trace.marker.size or 6) * 0.8,
            )[0]  # fmt: skip
            self.errors(axes, trace, x, y, _rgba(colour))
        if trace.name and trace.showlegend is not False:
            self.legend.setdefault(_plain(trace.name), handle)

    def bars(self, axes: Any, trace: Any) -> None:
        """Bars that lie, each at the place of its name."""
        order = list(self.layout[_long(trace.yaxis or "y")].categoryarray or trace.y)
        handle = axes.barh(
            [order.index(name) for name in trace.y], _numbers(trace.x), height=0.7,
            color=_rgba(trace.marker.color),
        )  # fmt: skip
        axes.set_yticks(range(len(order)), [_wrapped(name) for name in order])
        axes.grid(visible=False, axis="y")
        self.legend.setdefault(_plain(trace.name), handle)

    def errors(self, axes: Any, trace: Any, x: Any, y: Any, colour: Any) -> None:
        for side, bar in (("xerr", trace.error_x), ("yerr", trace.error_y)):
            if bar.array is not None:
                both = [bar.arrayminus if bar.arrayminus is not None else bar.array, bar.array]
                axes.errorbar(x, y, **{side: np.array(both, float)}, fmt="none", ecolor=colour,
                              elinewidth=1.6, capsize=3)  # fmt: skip

    def heat(self, axes: Any, trace: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        shared = self.layout[trace.coloraxis] if trace.coloraxis else trace
        scale = [(share, colour) for share, colour in shared.colorscale]
        low, high = (shared.cmin, shared.cmax) if trace.coloraxis else (trace.zmin, trace.zmax)
        z = np.array(trace.z, float)
        self.map = axes.pcolormesh(
            np.arange(z.shape[1] + 1), np.arange(z.shape[0] + 1), np.ma.masked_invalid(z),
            cmap=LinearSegmentedColormap.from_list("city", scale), vmin=low, vmax=high,
            edgecolors="white", linewidth=1,
        )  # fmt: skip
        axes.grid(visible=False)
        axes.set_xticks(np.arange(z.shape[1]) + 0.5, [str(one).strip() for one in trace.x])
        axes.set_yticks(np.arange(z.shape[0]) + 0.5, [str(one) for one in trace.y])
        if self.layout[_long(trace.yaxis or "y")].autorange == "reversed":
            axes.invert_yaxis()
        if trace.text is not None:
            middle = (low + high) / 2
            for (row, column), text in np.ndenumerate(np.array(trace.text, object)):
                pale = np.isfinite(z[row, column]) and z[row, column] > middle
                axes.text(column + 0.5, row + 0.5, str(text), ha="center", va="center", fontsize=7,
                          color="white" if pale else self.layout.font.color)  # fmt: skip

    def lines(self) -> None:
        """Ticks, ranges, and reference lines that run across a panel."""
        for (x, y), axes in self.axes.items():
            for name, which in ((x, "x"), (y, "y")):
                axis = self.layout[_long(name)]
                if axis.tickvals is not None:
                    labels = [str(one) for one in (axis.ticktext or axis.tickvals)]
                    getattr(axes, f"set_{which}ticks")(_numbers(axis.tickvals), labels)
                if axis.rangemode == "tozero":
                    getattr(axes, f"set_{which}lim")(**{"left" if which == "x" else "bottom": 0})
                if axis.showticklabels is False:
                    axes.tick_params(**{f"label{'bottom' if which == 'x' else 'left'}": False})
                if axis.type == "date":
                    _dates(axes)
        for shape in self.layout.shapes:
            panel = (shape.xref or "x").split()[0], (shape.yref or "y").split()[0]
            axes = self.axes.get(panel)
            if axes is None:
                continue
            look = {
                "color": _rgba(shape.line.color),
                "linewidth": shape.line.width or 1,
                "linestyle": _dash(shape.line.dash),
                "zorder": 0.9 if shape.layer == "below" else 2.5,
            }
            if shape.x0 == shape.x1:
                axes.axvline(_numbers([shape.x0])[0], **look)
            else:
                axes.axhline(shape.y0, **look)

    def words(self) -> None:
        """Titles, annotations, the legend and the colour bar."""
        ink = self.layout.font.color or "black"
        if self.layout.title.text:
            place, title = (self.left / self.size[0], 1 - 8 / self.size[1]), self.layout.title.text
            self.paper.text(*place, _plain(title), fontsize=12, va="top", color=ink)
        for note in self.layout.annotations:
            if note.xref == "paper":
                x, y, *_ = self.place((note.x, note.x), (note.y, note.y))
                self.paper.text(x, y + 4 / self.size[1], _plain(note.text), fontsize=10,
                                ha=note.xanchor or "center", va="bottom", color=ink)  # fmt: skip
        if len(self.legend) > 1:
            self.paper.legend(self.legend.values(), self.legend.keys(), loc="lower left", ncols=5,
                              bbox_to_anchor=((self.left - 15) / self.size[0], 0.0), frameon=False,
                              fontsize=9, labelcolor=ink)  # fmt: skip
        if self.map is not None:
            wide, high = self.size
            room = self.paper.add_axes([self.left / wide, 52 / high, 260 / wide, 10 / high])
            bar = self.paper.colorbar(self.map, cax=room, orientation="horizontal")
            bar.outline.set_visible(False)
            title = self.layout.coloraxis.colorbar.title.text
            bar.set_label(_plain(title), fontsize=9, color=ink)
            bar.ax.tick_params(labelsize=8, colors=ink, length=0)


def _dates(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=12)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _long(name: str) -> str:
    """Plotly's name of an axis in the layout: "x2" is "xaxis2"."""
    return f"{name[0]}axis{name[1:]}"


def _plain(text: str | None) -> str:
    """A text of plotly without its marks; `$` would be mathematics to matplotlib."""
    return html.unescape(re.sub(r"<[^>]*>", "", text or "")).replace("$", r"\$")


def _is_lying(trace: Any) -> bool:
    """Whether it is bars from left to right, each next to its name."""
    return bool(trace.type == "bar" and trace.orientation == "h")


def _wrapped(name: str) -> str:
    """The name of a bar in lines that leave room for it."""
    return "\n".join(textwrap.wrap(_plain(name), LABEL)) or " "


def _numbers(values: Any) -> Any:
    """Numbers with NaN for None; moments where they are written so; otherwise as they are."""
    known = [one for one in values if one is not None]
    if known and isinstance(known[0], str) and re.match(r"\d{4}-\d\d-\d\d", known[0]):
        return np.array([one if one is not None else "NaT" for one in values], "datetime64[s]")
    if known and isinstance(known[0], str):
        return np.array(values, object)
    return np.array([np.nan if one is None else one for one in values], float)


def _parts(x: Any, y: Any) -> list[slice]:
    """The outlines between gaps."""
    gaps = np.flatnonzero(~np.isfinite(y))
    edges = [-1, *gaps.tolist(), len(y)]
    pairs = itertools.pairwise(edges)
    return [slice(first + 1, last) for first, last in pairs if last - first > 2]


def _rgba(colour: str | None) -> Any:
    """A colour of matplotlib out of one of CSS."""
    if colour and colour.startswith("rgba"):
        red, green, blue, share = (float(one) for one in re.findall(r"[\d.]+", colour))
        return red / 255, green / 255, blue / 255, share
    return colour or "black"


def _dash(dash: Any) -> Any:
    if dash in (None, "solid"):
        return "-"
    lengths = DASHES.get(dash) or [float(one) for one in re.findall(r"[\d.]+", dash)]
    return 0, lengths
