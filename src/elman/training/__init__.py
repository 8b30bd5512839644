"""Training: from a text (start.py) through the loop of steps (loop.py) to the records and checkpoints of a run.

start → defaults → loop → host or device → update and treatments → optimizer; stopping and records beside the loop.
"""
