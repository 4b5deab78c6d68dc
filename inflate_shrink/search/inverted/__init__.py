"""VisualSparta: an inverted index of image scores by vocabulary piece."""
