"""What all figures share: sizes, markers and the look of axes."""

from matplotlib.axes import Axes

FIGURE_INCHES = (6.4, 5.0)
DPI = 150
MARKERS = "osD^vPX*"
LINE_INCHES, CHARACTERS_PER_INCH, FONT_SIZE = 0.15, 15, 7.5  # of text that is laid out by lines


def style_axes(axes: Axes) -> None:
    """Draw horizontal grid lines behind everything, and no edge above and on the right."""
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
