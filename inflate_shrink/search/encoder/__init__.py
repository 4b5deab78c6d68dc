"""Encoders of queries: a checkpoint exported once, then run without the model's code, for a search process that starts
at once.
"""
