"""Pictures of what a model does: its attention, and which region each word chose; ``tools/visualize.py`` draws them."""
