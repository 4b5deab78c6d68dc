"""Data sets on disk: opened, made of captions and regions, and read as batches."""

from ..lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "bad_records": ("BadRecords",),
        "batches": ("Batch", "epoch_batches"),
        "clustering": ("cluster_regions",),
        "fill": ("fill_store",),
        "store": ("Split", "Store", "open_store"),
        "text": ("CaptionTokenizer",),
        "tokenized": ("TokenizedSplit", "TrainingData", "open_training_data", "tokenize_split"),
        "verify": ("verify_store",),
        "writer": ("StoreWriter",),
    },
)
