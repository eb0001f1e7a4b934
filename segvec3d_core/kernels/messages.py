"""Points and colours between arrays and the records of a PointCloud2, in one pass: numpy takes one for each field.

Records are read and written as 32-bit words, in the processor's byte order; floats are copied bit by bit.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def unpack(words, width, step, row, axes, color, points, colors):  # type: ignore[no-untyped-def]
    """Copy points and colours out of records.

    Args:
        words: (M,) uint32; width: points in a row; step, row: words from one point, and from one row, to the next.
        axes: words from the start of a point to x, y and z; color: to its packed colour, 0xRRGGBB.
        points: (N, 3) uint32, bits of the coordinates, written; colors: (N, 3) uint8, written, or (0, 3) if there are
            none.
    """
    x, y, z = axes
    for v in range(len(points) // width):
        for u in range(width):
            at, i = v * row + u * step, v * width + u
            points[i, 0], points[i, 1], points[i, 2] = words[at + x], words[at + y], words[at + z]
            if len(colors):
                packed = words[at + color]
                colors[i, 0], colors[i, 1], colors[i, 2] = packed >> 16 & 255, packed >> 8 & 255, packed & 255


@njit(cache=True, nogil=True)
def pack(points, colors, grey, labels, ids, scores, records):  # type: ignore[no-untyped-def]
    """Write records of x, y, z and packed colour and, if they are six words wide, label and probability.

    Args:
        points: (N, 3) uint32, bits of the coordinates; colors: (N, 3) uint8, or (0, 3) if there are none.
        grey: colour where there are none, 0xRRGGBB.
        labels: (N,) int32 instance of each point, -1 for the last; not read if records are four words wide.
        ids, scores: (K + 1,) uint32 of each instance, bits of the floats; the last of points without an instance.
        records: (N, 4) or (N, 6) uint32, written.
    """
    for i in range(len(points)):
        records[i, 0], records[i, 1], records[i, 2] = points[i, 0], points[i, 1], points[i, 2]
        records[i, 3] = grey
        if len(colors):
            records[i, 3] = int(colors[i, 0]) << 16 | int(colors[i, 1]) << 8 | int(colors[i, 2])
        if records.shape[1] == 6:
            records[i, 4], records[i, 5] = ids[labels[i]], scores[labels[i]]
