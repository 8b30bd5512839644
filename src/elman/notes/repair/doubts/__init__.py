"""What speaks against calling a single claim wrong, by what the doubt is about; `all_doubts.py` asks them all."""
