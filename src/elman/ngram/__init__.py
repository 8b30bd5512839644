"""n-gram models: counted from a text by modified Kneser-Ney smoothing, or read from an ARPA file."""
