"""Regions of one photo: boxes from a detector or a grid, features from a backbone (paper Sec. 5, Settings).

The paper's regions come from bottom-up attention, a Faster R-CNN trained on Visual Genome. Here any
detector proposes boxes and any backbone describes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from PIL import Image, ImageOps

from ..data.clustering import cluster_regions
from ..data.region_files.records import Regions
from ..errors import InputError, attempt
from .decode import Photo, open_photo
from .named import NAMES, PIXELS
from .networks import Network, fingerprint
from .presets import BACKBONES, DETECTORS, Pixels
from .roi_align import roi_align

LONGEST = 2  # the greatest ratio of the sides in what the backbone sees; longer photos are squeezed to it
_PADDING = 114  # grey beside a photo that does not fill the detector's input


@dataclass(frozen=True)
class ExtractorSettings:
    """What describes an extractor; sent to the worker processes, each of which opens the networks itself."""

    backbone: str  # a file, or one of NAMES
    backbone_preset: str = PIXELS
    detector: str = ""  # empty: the cells of the backbone's feature map are the regions
    detector_preset: str = "yolox"
    size: int = 320  # pixels of the photo's shorter side at the backbone
    boxes: int = 100  # most boxes of a photo
    whole: bool = False  # the first region is the whole photo: the mean of the feature map
    power: float = 1.0  # to which the sizes of the clustered numbers are raised
    backbone_weights: str = ""  # file of a backbone by name; empty: Paddle's own

    def __post_init__(self):
        if self.backbone in NAMES and self.backbone_preset != PIXELS:
            raise InputError(
                f"--backbone-preset {self.backbone_preset}: {self.backbone} was trained with {PIXELS}; leave it out"
            )
        if self.backbone_weights and self.backbone not in NAMES:
            raise InputError(
                f"{self.backbone_weights}: weights alone describe nothing: they take a backbone by name, such as {NAMES[2]}"
            )
        if not 0 < self.power <= 1:
            raise InputError(f"--power must be above 0 and 1 at most, found {self.power}")
        for name, least in (("size", 32), ("boxes", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} must be {least} or more, found {getattr(self, name)}")


def describe_extractor(settings: ExtractorSettings) -> str:
    """Return the line for ``meta.json``: networks with their checksums, presets and sizes.

    Raises InputError if a network is missing.
    """
    network = fingerprint(settings.backbone, settings.backbone_weights)
    backbone = f"backbone {network} ({settings.backbone_preset}, shorter side {settings.size})"
    whole = "the whole photo and " if settings.whole else ""
    power = f", to the power {settings.power}" if settings.power < 1 else ""
    if not settings.detector:
        return f"{whole}cells of {backbone}{power}"
    detector = f"{fingerprint(settings.detector)} ({settings.detector_preset})"
    return f"{whole}{settings.boxes} boxes of {detector}, RoIAlign on {backbone}{power}"


class Extractor:
    """Callable: a photo to its regions. Raises InputError if a network is missing or does not fit its preset.

    Args:
        threads: cores of each network; more of them round otherwise.
    """

    def __init__(self, settings: ExtractorSettings, threads: int = 1):
        self.settings = settings
        # First: a file that is not there is said before a backbone's weights are downloaded.
        self.detector = Network(settings.detector, threads) if settings.detector else None
        self.backbone = Network(settings.backbone, threads, settings.backbone_weights)

    def check(self) -> str:
        """Describe a grey image, so that a network that does not fit is found before the first photo.

        Returns what :func:`describe_extractor` does. Raises InputError.
        """
        self(Photo(Image.new("RGB", (64, 64), "grey"), 64, 64))
        return describe_extractor(self.settings)

    def describe(self, data: bytes, where: str, mirrored: bool = False, clusters: int | None = None) -> Regions:
        """Return the regions of a photo's file, and with ``mirrored`` those of the photo mirrored left to right too;
        with a number of ``clusters`` as :meth:`cluster` has them.

        Raises InputError that begins with ``where`` if it is no photo or cannot be described.
        """
        photo = open_photo(data, where, min_side=self.settings.size)
        try:
            return self._described([photo], mirrored, clusters)[0]
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def describe_all(
        self, files: Sequence[tuple[bytes, str]], mirrored: bool = False, clusters: int | None = None
    ) -> list[Regions | InputError]:
        """Return of several photos what :meth:`describe` does, or its error; those of one size are one call of the
        backbone.

        Args:
            files: of each photo the whole file, and what messages call it.
        """
        if len(files) > 1:
            try:
                photos = [open_photo(data, where, min_side=self.settings.size) for data, where in files]
                return self._described(photos, mirrored, clusters)
            except InputError:
                pass  # alone, each says what is wrong with it
        return [attempt(self.describe, data, where, mirrored, clusters) for data, where in files]

    def _described(self, photos: list[Photo], mirrored: bool, clusters: int | None) -> list[Regions]:
        sides = [photo._replace(image=ImageOps.mirror(photo.image)) for photo in photos] if mirrored else []
        found = self.regions([*photos, *sides])
        for number in range(len(sides)):
            found[number] = found[number]._replace(mirrored=found[len(photos) + number].features)
        found = found[: len(photos)]
        return found if clusters is None else [self.cluster(each, clusters) for each in found]

    def cluster(self, found: Regions, clusters: int) -> Regions:
        """Return regions clustered to so many at most, the whole photo beside the clusters, then each number x as
        sign(x) |x|^power: power normalisation (Perronnin et al. 2010), so that few large numbers do not outweigh all.

        Raises InputError if a number is NaN or infinite.
        """
        kept = int(self.settings.whole)
        features, boxes = cluster_regions(found.features, found.boxes, clusters, kept)
        mirrored = found.mirrored
        if mirrored is not None:
            mirrored = self._to_power(cluster_regions(mirrored, np.zeros((len(mirrored), 4)), clusters, kept)[0])
        return found._replace(features=self._to_power(features), boxes=boxes, mirrored=mirrored)

    def _to_power(self, numbers: np.ndarray) -> np.ndarray:
        return np.copysign(np.abs(numbers) ** np.float32(self.settings.power), numbers)

    def __call__(self, photo: Photo) -> Regions:
        """Return features (n, C) and boxes in the photo's pixels: those of the whole photo, if it is asked for, before
        the cells or at most ``settings.boxes`` boxes.
        """
        return self.regions([photo])[0]

    def regions(self, photos: Sequence[Photo]) -> list[Regions]:
        """Return of each photo what a call with it does; those of one size are one call of the backbone."""
        return [self._regions(photo, found) for photo, found in zip(photos, self._feature_maps(photos))]

    def _regions(self, photo: Photo, feature_map: np.ndarray) -> Regions:
        _, rows, columns = feature_map.shape
        if self.detector is None:
            features, boxes = feature_map.reshape(len(feature_map), -1).T, _grid(rows, columns)
        else:
            boxes = self._propose(photo)
            features = roi_align(feature_map, boxes * np.tile([columns, rows], 2))
        if self.settings.whole:
            mean = feature_map.mean((1, 2), dtype=np.float64)[None].astype(np.float32)
            features, boxes = np.concatenate([mean, features]), np.concatenate([_grid(1, 1), boxes])
        boxes = (boxes * np.tile([photo.width, photo.height], 2)).astype(np.float32)
        return Regions(np.ascontiguousarray(features), boxes, photo.width, photo.height)

    def _feature_maps(self, photos: Sequence[Photo]) -> list[np.ndarray]:
        """Return the map (C, h, w) of each photo."""
        sizes = [self.backbone.input_size or _backbone_size(photo, self.settings.size) for photo in photos]
        maps, most = [np.empty(0)] * len(photos), self.backbone.most_images or len(photos)
        for size in dict.fromkeys(sizes):
            numbers = [number for number, each in enumerate(sizes) if each == size]
            for start in range(0, len(numbers), most):
                some = numbers[start : start + most]
                for number, found in zip(some, self._maps_of([photos[number] for number in some], *size)):
                    maps[number] = found
        return maps

    def _maps_of(self, photos: list[Photo], height: int, width: int) -> np.ndarray:
        pixels = BACKBONES[self.settings.backbone_preset]
        images = [_input(photo.image.resize((width, height), Image.BICUBIC), pixels) for photo in photos]
        found = self.backbone(np.concatenate(images))[0]
        if found.ndim != 4 or len(found) != len(photos) or found.size == 0:
            raise InputError(
                f"{self.backbone.path}: expected a feature map ({len(photos)}, C, h, w), found {found.shape}; "
                "give a network without its classifier"
            )
        return found

    def _propose(self, photo: Photo) -> np.ndarray:
        """Return the best boxes before suppression, in fractions of the photo; the whole photo if there is none."""
        preset = DETECTORS[self.settings.detector_preset]
        height, width = self.detector.input_size or (preset.size, preset.size)
        image, scale = _letterbox(photo.image, width, height)
        outputs = self.detector(_input(image, preset.pixels))
        try:
            boxes, scores = preset.decode(outputs, (height, width))
        except InputError as error:
            raise InputError(f"{self.detector.path}: {error}") from error
        boxes = np.clip(boxes / scale, 0, 1)
        usable = (boxes[:, 2:] > boxes[:, :2]).all(1) & np.isfinite(scores)
        best = np.flatnonzero(usable)[np.argsort(-scores[usable], kind="stable")[: self.settings.boxes]]
        return boxes[best] if len(best) else np.array([[0.0, 0, 1, 1]])


def _backbone_size(photo: Photo, shorter: int) -> tuple[int, int]:
    """Return height and width with the photo's shape, whole multiples of 32."""
    scale = shorter / min(photo.width, photo.height)
    sides = (min(photo.height * scale, LONGEST * shorter), min(photo.width * scale, LONGEST * shorter))
    return tuple(max(1, round(side / 32)) * 32 for side in sides)


def _letterbox(image, width: int, height: int):
    """Return a grey width x height image with the photo in its upper left, and its extent (x, y, x, y) in pixels."""
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    canvas = np.full((height, width, 3), _PADDING, np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(image.resize(size, Image.BICUBIC))
    return canvas, np.tile(size, 2)


def _input(image, pixels: Pixels) -> np.ndarray:
    """Return a network's input (1, 3, h, w) float32."""
    array = np.asarray(image, np.float32)[:, :, :: 1 if pixels.channels == "RGB" else -1]
    array = (array - np.float32(pixels.mean)) / np.float32(pixels.std)
    return array.transpose(2, 0, 1)[None]


def _grid(rows: int, columns: int) -> np.ndarray:
    """Return the (rows * columns, 4) cells in fractions of the photo, row by row."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x, y, x + 1, y + 1], -1).reshape(-1, 4) / np.array([columns, rows, columns, rows])
