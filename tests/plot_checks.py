"""What the tests of the plots share: a series of closes, a figure's lines and legend, and whether all of it fits."""

import numpy as np
import pandas as pd

NAIVE = 0.0000225


def legend(fig):
    return [text.get_text() for box in fig.legends for text in box.get_texts()]


def line(ax, label):
    return next(found for found in ax.lines if found.get_label() == label)


def labelled(ax, start):
    return next(found for found in ax.lines if str(found.get_label()).startswith(start))


def fits(fig):
    """Legend and axes, with their labels, lie within the figure and do not overlap."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    boxes = [box.get_window_extent(renderer) for box in fig.legends]
    axes = [ax.get_tightbbox(renderer) for ax in fig.axes]
    for extent in [*boxes, *axes]:
        assert extent.x0 >= -1 and extent.x1 <= fig.bbox.x1 + 1
        assert extent.y0 >= -1 and extent.y1 <= fig.bbox.y1 + 1
    for box in boxes:
        assert all(box.y0 >= extent.y1 - 1 for extent in axes)
    assert min(ax.get_window_extent(renderer).height for ax in fig.axes) > 0.4 * fig.dpi  # no panel squeezed flat
    return True


def series(first, days, low=5.0, high=6000.0):
    return pd.Series(
        np.geomspace(low, high, days), index=pd.bdate_range(first, periods=days, name="Date"), name="Close"
    )
