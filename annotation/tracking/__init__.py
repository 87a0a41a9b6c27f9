"""Where the tissue under a mark has gone: pure functions and one state object over pictures of a field.

The walk: `Tracker.receive` takes each picture's brightness at 960 pixels or less; `camera` tells how the whole
picture moved, or that it was cut; `flow` follows the points under the marks from the picture before; `patch` holds
what came out against the tissue that the mark was drawn on; `judgement` makes good, lost or stale of it;
`announcing` chooses what is worth telling. No clock: times are seconds of the stream's own.
"""
