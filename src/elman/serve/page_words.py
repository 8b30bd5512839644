"""The words of the page in the reader's language: what its scripts say, and the texts of page.html."""

from __future__ import annotations

import functools
import json

from elman.translation import CHINESE, ENGLISH, catalogue, current_language

DOMAIN = "page"
"""The name of the catalogue: page.po."""
TAGS = {ENGLISH: "en", CHINESE: "zh-Hans"}
_SCRIPT = """// The words of the page in its language, and the values in them: said("line {line}", { line: 3 }).

export const LANGUAGE = %s;
const WORDS = %s;
export const said = (text, values = {}) => (WORDS[text] ?? text).replace(/\\{(\\w+)\\}/g, (_, name) => values[name]);
"""


def language_of_page(accepted: str) -> str:
    """That of the server where it is Chinese, else the first that the browser accepts: `Accept-Language`."""
    if current_language() == CHINESE or accepted.strip().lower().startswith("zh"):
        return CHINESE
    return ENGLISH


@functools.cache
def words_script(language: str) -> bytes:
    """The script /static/words.js."""
    words = {} if language == ENGLISH else catalogue(language, DOMAIN)
    return (_SCRIPT % (json.dumps(TAGS[language]), json.dumps(words, ensure_ascii=False))).encode()
