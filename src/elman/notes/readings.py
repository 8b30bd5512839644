"""Stub."""
def reading_of(checker, j, left, part):
    return None
def compare_readings(checker):
    return None
