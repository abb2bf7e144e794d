"""What a pose file is, in words and numbers."""

from typing import Any

from signgen.poses.coordinates import PIXELS
from signgen.poses.formats.raw import DEFAULT_FPS, RawPoses
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import PARTS
from signgen.poses.visibility import place


def summary(raw: RawPoses, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """What the poses are, and the share of points that the largest person has in each part of the skeleton.

    size: (width, height) of the image, whatever the file says; None where neither does. `inside` is the share of
    points in or near it, None where it or their pixels are not known, and `where` where they lie. `people_at` has the
    middle of each person, in the file's coordinates; `empty_frames` counts those without anyone.
    """
    largest = max(raw.people, key=lambda person: person.extent, default=None)
    points = raw.on_skeleton(raw.cleaned[:, 0] if largest is None else largest.points)
    size, inside, where = size or raw.size, None, ""
    if size is not None and raw.coordinates == PIXELS:
        inside, where = place(PoseSequence(points, size, DEFAULT_FPS, raw.skeleton))
    shares = {part: float((points[:, which, 2] > 0).mean()) for part, which in PARTS[raw.skeleton].items()}
    return {
        "format": raw.format,
        "layout": raw.layout,
        "skeleton": raw.skeleton,
        "frames": len(points),
        "empty_frames": int((~(raw.cleaned[..., 2] > 0).any((1, 2))).sum()),
        "size": size,
        "fps": raw.fps,
        "coordinates": raw.coordinates,
        "inside": inside,
        "where": where,
        "people": len(raw.people),
        "people_at": [[round(side, 3) for side in person.centre] for person in raw.people],
        "found": {part: round(share, 4) for part, share in shares.items()},
    }
