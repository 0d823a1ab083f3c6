"""How every figure of the house looks: sizes, fonts and colours a journal would take.

Colours are those of Okabe and Ito and a blue-grey-red scale; both survive the common kinds of
colour blindness and a grey printer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

WIDTH_MM = 180.0
MM_PER_INCH = 25.4

INK = "#222222"
FAINT = "#9a9a9a"
BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
RED = "#D55E00"
PURPLE = "#CC79A7"
SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
# compression, no stress, tension
DIVERGING = ("#08306b", "#2171b5", "#8fbcdf", "#d8d8d8", "#f0a582", "#c8431f", "#67000d")
# none, much
SEQUENTIAL = ("#dcdcdc", "#f2c38a", "#e67f33", "#a8350f", "#4a0d05")

_LOOK: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": None,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "patch.linewidth": 0.6,
    "figure.dpi": 100.0,
    "savefig.dpi": 220.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "mesolith",
    "path.simplify": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with the house's look, whatever the user's matplotlibrc says."""
    import matplotlib
    from matplotlib.rcsetup import cycler

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_LOOK, "axes.prop_cycle": cycler(color=SERIES)})
        yield


def new_figure(height_mm: float, width_mm: float = WIDTH_MM) -> Any:
    """Empty matplotlib Figure of that size, made without pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))


def axes_mm(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes whose box is given in mm from the lower left corner of the figure."""
    full_width, full_height = (size * MM_PER_INCH for size in figure.get_size_inches())
    return figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )


def letter(axes: Any, text: str, *, left_mm: float = 11.0, up_mm: float = 2.0) -> None:
    """Bold panel letter, so far left of and above the upper left corner of the axes."""
    axes.annotate(
        text,
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(-left_mm * 72.0 / MM_PER_INCH, up_mm * 72.0 / MM_PER_INCH),
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
        va="bottom",
        ha="left",
    )


def diverging_map() -> Any:
    """Colour map from compression (blue) over no stress (grey) to tension (red)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("stress", DIVERGING)


def wrapped(names: Sequence[str], width: int = 11) -> list[str]:
    """State names broken into lines short enough for an axis."""
    import textwrap

    return ["\n".join(textwrap.wrap(name, width, break_long_words=False)) or name for name in names]
