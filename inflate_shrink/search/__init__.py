"""Search: indexes that are built off-line and answer text queries."""
