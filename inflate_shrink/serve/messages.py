"""What requests hold and answers have, as GET /openapi.json describes them."""

from __future__ import annotations

from typing import Dict, List, Optional

from pydantic import BaseModel, ConfigDict, Field

from .limits import CONTAINS_CHARACTERS, MOST_CANDIDATES, MOST_K, MOST_OFFSET, QUERY_CHARACTERS


class Query(BaseModel):
    """A search by a text."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(max_length=QUERY_CHARACTERS, description="words; the model reads the first of them")
    way: str = Field("", max_length=100, description="a way of GET /about; empty: the first")
    k: int = Field(24, ge=1, le=MOST_K, description="hits")
    offset: int = Field(0, ge=0, le=MOST_OFFSET, description="better hits that are left out")
    recall: Optional[float] = Field(
        None, gt=0, le=1, allow_inf_nan=False, description="share of the exact best that a measured first stage finds"
    )
    candidates: Optional[int] = Field(
        None, ge=1, le=MOST_CANDIDATES, description="items that a cascade scores exactly, in place of a recall"
    )
    contains: str = Field(
        "", max_length=CONTAINS_CHARACTERS, description="only hits whose id, file name or caption holds this"
    )


class HitTold(BaseModel):
    """One answer."""

    rank: int
    id: str
    score: float
    text: str = Field(description="the caption, in an index of captions")
    photo: Optional[str] = Field(description="path of the photo, if there is one")
    alt: str = Field(description="what to show or read out in place of the photo")


class Times(BaseModel):
    """Milliseconds."""

    encode_ms: float
    search_ms: float


class Answer(BaseModel):
    """A page of hits."""

    hits: List[HitTold]
    more: bool = Field(description="whether there are further hits")
    way: str
    items: int = Field(description="that this way searches")
    times: Times
    notes: List[str] = Field(description="sentences: what the model did not read")


class WayTold(BaseModel):
    """An index and a mode to search it in."""

    way: str
    label: str
    model: str
    mode: str
    holds: str
    items: int
    recall: bool
    by_text: bool
    by_photo: bool
    match: bool
    attention: bool


class About(BaseModel):
    """What is served."""

    title: str
    ways: List[WayTold]
    limits: Dict[str, int]
    examples: List[str]


class Word(BaseModel):
    """What a word, or a code, chose. region: from 0, or null where it chose no region."""

    text: str
    region: Optional[int]
    cosine: float
    quiet: bool = Field(description="whether it names nothing that a picture could show")


class MatchTold(BaseModel):
    """Which region each word of a query chose in an image, and what that adds to the score."""

    width: float
    height: float
    words: List[Word]
    codes: List[Word]
    padding: float
    score: float
    boxes: List[List[float]] = Field(description="x0, y0, x1, y1 of each region; none where they are unknown")
    regions: int


class AttentionTold(BaseModel):
    """weights: for each layer and head, thousandths of the attention of each label (rows) on each (columns), row by row."""

    labels: List[str]
    layers: int
    heads: int
    weights: List[List[List[int]]]


class Health(BaseModel):
    """status: ok, or stopping."""

    status: str
    items: int
    indexes: int


class Error(BaseModel):
    """One sentence: what was wrong and what to do."""

    error: str
