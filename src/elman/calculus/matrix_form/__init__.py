"""Index forms written as matrix expressions again."""
