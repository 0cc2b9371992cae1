"""Person names (VR PN, PS3.5 §6.2.1) in the form in which they are compared.

PS3.4 C.2.2.2.1 leaves to the server whether names are compared regardless of case, accents and the like. Here:

- case, accents and width do not count; ``ø``, ``ł``, ``ß`` and their like are as good as ``o``, ``l``, ``ss``;
  katakana and hiragana are one; the marks that make other sounds of kana (``が``) and of Indic scripts stay;
- blanks around components and empty components at the end do not count (PS3.5 §6.2.1.1);
- ``*`` and ``?`` may stand anywhere and may cover ``^``;
- fuzzy: each word of the query begins, or sounds like, some word of the name, in any order and component group.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

# Letters that Unicode does not decompose although people type the base letter for them.
_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
        "ŀ": "l", "ĸ": "k", "ŋ": "n", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ə": "e", "’": "'", "‘": "'", "ʼ": "'", "‐": "-",
        "‑": "-", "–": "-",
    }
)  # fmt: skip
_KATAKANA = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
_MARKS = re.compile(r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
_BLANKS = re.compile(r"\s+")
_AROUND = re.compile(r" ?\^ ?")
_WORD = re.compile(r"(?:[^\W_]|')+")
_PATTERN_WORD = re.compile(r"(?:[^\W_]|['*?])+")
_EMPTY_TAIL = re.compile(r"\^[\^*]*$")


def _fold(text: str) -> str:
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text))  # folding can bring marks forth: ŉ, ǰ
    return unicodedata.normalize("NFC", text).translate(_LETTERS).translate(_KATAKANA)


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Return one component group as it is compared: folded, trimmed, without empty components at the end.

    Idempotent. ``*`` and ``?`` stay, so that patterns are normalised by the same function.
    """
    text = text.lower() if text.isascii() else _fold(text)
    text = _BLANKS.sub(" ", text)
    return _AROUND.sub("^", text).strip(" ").rstrip("^").strip(" ")


def groups(name: Any) -> tuple[str, str, str]:
    """Return the normalised component groups of a PN value in the DICOM JSON Model; "" where there is none.

    A plain string, which some senders write, is split at ``=``.
    """
    if isinstance(name, dict):
        alphabetic, ideographic, phonetic = (name.get(group) for group in GROUPS)
    elif isinstance(name, str):
        alphabetic, ideographic, phonetic = ([*name.split("="), "", ""])[:3]
    else:
        return "", "", ""
    return (
        normalise(alphabetic) if isinstance(alphabetic, str) else "",
        normalise(ideographic) if isinstance(ideographic, str) else "",
        normalise(phonetic) if isinstance(phonetic, str) else "",
    )


def words(text: str) -> tuple[str, ...]:
    """Return the words of a normalised name, apostrophes dropped: ``o'brien^mary ann`` → obrien, mary, ann."""
    return tuple(word for found in _WORD.findall(text) if (word := found.replace("'", "")))


def pattern_words(text: str) -> tuple[str, ...]:
    """Return the words of a normalised query; a word with ``*`` or ``?`` keeps them. ``*`` alone is no word."""
    return tuple(found.replace("'", "") for found in _PATTERN_WORD.findall(text) if found.strip("*?'"))


def query_groups(text: str) -> tuple[str, ...]:
    """Return the component groups that a key names, normalised.

    One (no ``=`` in the key): to be found in any group, so that a name in any script can be typed as it is.
    Three: each to be found in its own group; "" there matches everything.
    """
    if "=" not in text:
        return (normalise(text),)
    return tuple(normalise(part) for part in ([*text.split("="), "", ""])[:3])


def patterns(pattern: str) -> tuple[str, ...]:
    """Return the patterns, one of which a group has to match, for a normalised group of a query.

    As empty components at the end do not count, ``zeta^*`` also stands for ``zeta``, and ``zeta^*^*`` for
    ``zeta^*`` and ``zeta``.
    """
    found = [pattern]
    tail = _EMPTY_TAIL.search(pattern)
    if tail is not None:
        cut = len(pattern)
        while (cut := pattern.rfind("^", tail.start(), cut)) >= 0:
            if pattern[:cut].rstrip("^") not in found:
                found.append(pattern[:cut].rstrip("^"))
    return tuple(found)


# Phonetic code --------------------------------------------------------------------------------------------------

_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^(kn|gn|pn)", "n"),  # Knight, Gnann
        (r"^wr", "r"),
        (r"^ps", "s"),
        (r"^x", "s"),  # Xavier
        (r"mpson", "mson"),  # Thompson, Simpson
        (r"tsch|sch|tch|sh|ch(?=[eiy])|cz|cs(?=[aeiouy])", "S"),  # Tschaikowski, Schmidt, Fisher, Cziffra
        (r"ch", "k"),  # Christian, Bach
        (r"ph|pf", "f"),
        (r"th|dt", "t"),
        (r"gh(?=t|$)|gh(?=[^aeiouy])", ""),  # Knight, Hugh
        (r"ck|q", "k"),
        (r"x", "ks"),
        (r"c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"dg(?=[eiy])", "j"),
        (r"tz|ts|z", "s"),  # Schulz, Gonzalez
        (r"d", "t"),  # Pedersen, Petersen
        (r"[vw]", "f"),  # Steven, Wolf
        (r"(?<=.)h", ""),  # Jahn, Cohen
    )
)  # fmt: skip
_VOWELS = re.compile(r"[aeiouyj]+")
_TWICE = re.compile(r"(.)\1+")


@lru_cache(maxsize=8192)
def phonetic(word: str) -> str:
    """Return how a normalised word sounds, roughly, as a code; "" for words that are not in Latin letters.

    A rewriting in the tradition of Soundex and Metaphone, for names of many languages: consonants that are written
    in several ways become one letter, doubled letters one, and vowels (with ``j`` and ``y``) are dropped behind the
    first letter; a vowel there is ``a``. Words of one consonant keep a vowel's place, so that Lee is not L.
    Meyer, Maier and Mayr are ``mr``; Schmidt and Schmitt ``Smt``; Stephen and Steven ``stfn``.
    """
    if not (word.isascii() and word.isalpha()) or len(word) > 64:
        return ""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    word = _TWICE.sub(r"\1", word)
    if not word:
        return ""
    first = "a" if word[0] in "aeiou" else "j" if word[0] in "jy" else word[0]
    rest = _TWICE.sub(r"\1", _VOWELS.sub("", word[1:]))
    if first == "j" and word[0] == "y" and (len(word) == 1 or word[1] not in "aeiou"):
        first = "a"  # Yvonne and Ivonne
    return first + rest if rest or len(word) == 1 else first + "a"


def sounds_like(word: str, other: str) -> bool:
    """Whether two normalised words have one phonetic code."""
    code = phonetic(word)
    return code != "" and code == phonetic(other)
