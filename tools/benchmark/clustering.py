"""Clustering the regions of an image, beside scikit-learn's k-means on the same arrays."""

from __future__ import annotations

import time

import numpy as np

from inflate_shrink.data.clustering import MAX_ITERATIONS, cluster_regions

from .environment import one_thread
from .table import Row, format_section


def measure_clustering(
    images: int = 200, seed: int = 0, *, regions: int = 100, clusters: int = 32, dimension: int = 2048
) -> dict:
    """Measure images per second and mean inertia of :func:`cluster_regions` and of scikit-learn, in turn on each
    image, on one thread.

    Inertia is the sum of the squared distances of the regions to their nearest centre.

    Args:
        images: how many drawn images are clustered.
        regions, clusters, dimension: regions of an image, centres and D.

    Returns:
        ``ours`` and ``sklearn`` (None: not installed), each with ``images_per_second`` and ``inertia``;
        ``speed_ratio`` and ``inertia_ratio``, ours by scikit-learn's (None without it); the arguments.
    """
    contestants = {"ours": _ours, "sklearn": _sklearn(seed)}
    contestants = {name: cluster for name, cluster in contestants.items() if cluster}
    seconds, inertia = dict.fromkeys(contestants, 0.0), dict.fromkeys(contestants, 0.0)
    with one_thread():
        for number in range(-1, images):  # -1: warms up
            features = draw_regions(np.random.default_rng([seed, number + 1]), regions, dimension)
            for name, cluster in contestants.items():  # in turn, so that other work on the machine slows both
                start = time.perf_counter()
                centres = cluster(features, clusters)
                elapsed = time.perf_counter() - start
                if number >= 0:
                    seconds[name] += elapsed
                    inertia[name] += inertia_of(features, centres)
    found = {
        name: {"images_per_second": images / seconds[name], "inertia": inertia[name] / images} for name in contestants
    }
    ours, peer = found["ours"], found.get("sklearn")
    return {
        "images": images,
        "regions": regions,
        "clusters": clusters,
        "dimension": dimension,
        "ours": ours,
        "sklearn": peer,
        "speed_ratio": peer and ours["images_per_second"] / peer["images_per_second"],
        "inertia_ratio": peer and ours["inertia"] / peer["inertia"],
    }


def draw_regions(generator: np.random.Generator, regions: int, dimension: int) -> np.ndarray:
    """Draw (regions, D) float32 like a detector's: several noisy views of each of 20 to 40 objects, not negative,
    many zeros."""
    objects = np.maximum(generator.normal(-0.5, 1.0, (generator.integers(20, 41), dimension)), 0)
    views = objects[generator.integers(0, len(objects), regions)] * generator.uniform(0.7, 1.3, (regions, 1))
    return np.maximum(views + generator.normal(0, 0.25, views.shape), 0).astype(np.float32)


def inertia_of(features: np.ndarray, centres: np.ndarray) -> float:
    """Sum the squared distances of features (n, D) to the nearest of centres (k, D)."""
    features, centres = features.astype(np.float64), centres.astype(np.float64)
    distance = (features**2).sum(1)[:, None] - 2 * features @ centres.T + (centres**2).sum(1)
    return float(np.maximum(distance.min(1), 0).sum())


def clustering_section(found: dict) -> str:
    """Return what :func:`measure_clustering` found as text."""
    title = (
        "clustering: {images} drawn images of {regions} regions, D = {dimension}, to {clusters} centres; "
        "one thread".format(**found)
    )
    ours, peer = found["ours"], found["sklearn"]
    if not peer:
        rows = [
            Row("this package", ours["images_per_second"], "images/s"),
            Row("inertia", ours["inertia"], "mean of an image"),
        ]
        return format_section(title, rows) + "\n  scikit-learn is not installed: left out (pip install scikit-learn)"
    rows = [
        Row("this package", ours["images_per_second"], "images/s"),
        Row(
            "scikit-learn KMeans, k-means++, n_init=1",
            peer["images_per_second"],
            f"images/s (max_iter={MAX_ITERATIONS}, as ours)",
        ),
        Row("speed, ours / scikit-learn", found["speed_ratio"], "times (higher is better)"),
        Row("inertia, this package", ours["inertia"], "mean of an image"),
        Row("inertia, scikit-learn", peer["inertia"], "mean of an image"),
        Row("inertia, ours / scikit-learn", found["inertia_ratio"], "times (lower is better)"),
    ]
    return format_section(title, rows)


def _ours(features: np.ndarray, clusters: int) -> np.ndarray:
    return cluster_regions(features, np.zeros((len(features), 4), np.float32), clusters)[0]


def _sklearn(seed: int):
    """Return the peer as a function like :func:`_ours`, or None."""
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        return None

    def cluster(features: np.ndarray, clusters: int) -> np.ndarray:
        return (
            KMeans(clusters, init="k-means++", n_init=1, max_iter=MAX_ITERATIONS, random_state=seed)
            .fit(features)
            .cluster_centers_
        )

    return cluster
