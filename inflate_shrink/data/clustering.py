"""Group the detected regions of one image into a fixed number of clusters (paper Sec. 5, Settings).

The paper clusters 100 regions to 32 centres and says no more. The choices made here:

* Squared Euclidean distance. The centres must be means of the raw features, because
  the image encoder projects centres as if they were regions. Region features of one
  detector have similar norms, and for vectors of equal norm squared Euclidean distance
  is twice that norm squared times (1 - cosine), so cosine would group them alike.
* Initialisation by greedy choice (the BUILD step of PAM, Kaufman and Rousseeuw 1990):
  first the region nearest to the mean, then each time the region that lowers the total
  distance to the nearest chosen region most. Nothing is random.
* Order of the clusters: by decreasing number of members, then by the smallest member
  index. The order matters: the fast model keeps only the first slot of the image.

All distances come from the n x n Gram matrix, so the iterations never touch the
feature dimension.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError

MAX_ITERATIONS = 20
# The most that an image may have, 100 in the paper: their n x n distances then take a fifth of a GiB.
MOST_REGIONS = 2048
_SAME_POINT = 1e-12  # squared distance, relative to the largest, below which regions coincide


def cluster_regions(
    features: np.ndarray, boxes: np.ndarray, k: int = 32, kept: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the regions of one image by deterministic k-means.

    Args:
        features: (n, D) region features, n >= 1, finite.
        boxes: (n, 4) x1, y1, x2, y2 in pixels.
        k: most clusters.
        kept: so many regions at the beginning, fewer than ``k``, stay as they are; the others become k - kept clusters.

    Returns:
        ``(centres, boxes)``: (count, D) float32 cluster means, and (count, 4) float32 box of
        each cluster's most central member. With n <= k the regions are kept as they are, in
        their order; with fewer than k distinct regions among n > k, count is the number of
        distinct ones; otherwise it is k.

    Raises:
        InputError: no region, more than MOST_REGIONS, shapes that do not match, or a NaN or infinite feature.
    """
    features, boxes = np.asarray(features, np.float32), np.asarray(boxes, np.float32)
    _check(features, boxes)
    if len(features) <= k:
        return features, boxes
    if kept:
        centres, central = cluster_regions(features[kept:], boxes[kept:], k - kept)
        return np.concatenate([features[:kept], centres]), np.concatenate([boxes[:kept], central])
    gram = _gram(features - features.mean(0))  # a smaller norm leaves less to cancel in the distances
    members = _lloyd(gram, _initial_members(gram, k))
    distance = _distances(gram, members)
    order = np.lexsort((members.argmax(1), -members.sum(1)))  # the largest first; of equals, that of the first region
    members, central = members[order], np.where(members, distance, np.inf).argmin(1)[order]
    centres = members.astype(np.float32) @ features / members.sum(1, keepdims=True, dtype=np.float32)
    return centres, boxes[central]


def _check(features: np.ndarray, boxes: np.ndarray) -> None:
    if features.ndim != 2 or features.size == 0:
        raise InputError(f"expected region features of shape (n, D) with at least one region, found {features.shape}")
    if len(features) > MOST_REGIONS:
        raise InputError(
            f"{len(features)} regions, more than the limit of {MOST_REGIONS} an image; keep the best of them"
        )
    if boxes.shape != (len(features), 4):
        raise InputError(f"expected boxes of shape ({len(features)}, 4), one a region, found {boxes.shape}")
    if not np.isfinite(features).all():
        bad = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
        raise InputError(f"the features of region {bad} contain NaN or infinity")


def _gram(points: np.ndarray) -> np.ndarray:
    # float64: the products are exact, so rounding cannot tell apart regions that coincide
    points = points.astype(np.float64)
    return points @ points.T


def _initial_members(gram: np.ndarray, k: int) -> np.ndarray:
    """Choose at most ``k`` seeds greedily and return the (k', n) membership, each region with its nearest seed."""
    norms = np.diag(gram)
    distance = np.maximum(norms[:, None] + norms - 2 * gram, 0)  # (n, n), symmetric
    distance[distance <= _SAME_POINT * distance.max()] = 0
    seeds = [int(distance.sum(1).argmin())]  # the smallest sum of squared distances: nearest to the mean
    nearest = distance[seeds[0]]
    while len(seeds) < k and nearest.any():
        seeds.append(int(np.minimum(distance, nearest).sum(1).argmin()))
        nearest = np.minimum(nearest, distance[seeds[-1]])
    return _refill(_one_hot(distance[seeds].argmin(0), len(seeds)), distance[seeds])


def _lloyd(gram: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Alternate means and nearest-mean assignment until nothing moves; (k, n) bool in and out."""
    for _ in range(MAX_ITERATIONS):
        distance = _distances(gram, members)
        moved = _refill(_one_hot(distance.argmin(0), len(members)), distance)
        if np.array_equal(moved, members):
            break
        members = moved
    return members


def _refill(members: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Give each empty cluster the region farthest from its centre, taken from a cluster that keeps others."""
    for empty in np.flatnonzero(~members.any(1)):
        shared = members[members.sum(1) > 1].any(0)
        own_distance = np.where(members, distance, 0).sum(0)
        farthest = np.where(shared, own_distance, -1).argmax()
        members[:, farthest] = False
        members[empty, farthest] = True
    return members


def _distances(gram: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the (k, n) squared distances of the regions to the cluster means: |x|^2 - 2 x.c + |c|^2 with c = W x."""
    weights = members / members.sum(1, keepdims=True)
    products = weights @ gram  # (k, n) c.x
    squares = (products * weights).sum(1)  # (k,) |c|^2
    return np.diag(gram) - 2 * products + squares[:, None]


def _one_hot(labels: np.ndarray, k: int) -> np.ndarray:
    return np.arange(k)[:, None] == labels
