"""A file → a page: its formulas with their places, declared shapes, and the prose around them."""
