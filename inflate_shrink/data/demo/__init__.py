"""A small synthetic data set: drawn scenes, region features from their pixels, captions from a grammar."""
