"""Runs behind the OpenAI completions API: requests, their batches, answers. Needs `pip install 'elman[serve]'`."""
