"""The scenes of the night: each module plants what it needs in the union catalogue and delivers what meets it.

A module is one subject of docs/sample-consortium.md and has one `play(cast)`. The order here is the order of the night,
and with it the control numbers of the plants: add new scenes at the end.
"""

from __future__ import annotations

from datetime import date

from deployments.sample.cast import Cast
from deployments.sample.scenes import charsets, damage, holdings, levels, likeness, limits, numbers, promises, routine

SCENES = (routine, numbers, likeness, holdings, levels, charsets, damage, promises, limits)


def compose(seed: int, on: date) -> Cast:
    """The whole night: plants and drops. The plants are the same whatever the date."""
    cast = Cast(seed, on)
    for scene in SCENES:
        scene.play(cast)
    return cast
