"""A file → a page: formulas with their places, declared shapes, and the prose around them.

`page.py` has the values, `reader.py` makes them; the other files each read one kind of text.
"""
