"""The analyzer of the search index: how texts become the words that are indexed and searched.

What belongs here: the stemmer of a language, the language of a corpus, and the words of a query. What does
not: the index (bm25.py), and words of scripts without spaces (intake/words.py).

One stemmer serves a whole corpus, so that a word of a query and of a document always meet. Accents are
removed before it, because many people type none.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import tantivy

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.words import separated

ENGLISH = "en"
# The Snowball stemmers of the index, by ISO 639-1 code. Bokmål and Nynorsk share one.
STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", ENGLISH: "english", "es": "spanish",
    "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Their Latin words are names and English ones.
_UNSPACED = frozenset({"zh", "ja", "ko", "th", "lo", "km", "my"})
_LONGEST_WORD_BYTES = 64  # longer ones are encoded files or addresses, not words


def stemmer_language(languages: Iterable[str | None]) -> str:
    """The language that all texts of a corpus are stemmed in: that of more than half of its documents.

    `languages`: the ISO 639-1 code of each document, None if unknown. English if no language has more than
    half of them, for one without spaces, and where half are unknown.

    >>> stemmer_language(["de", "de", "en"]), stemmer_language(["de", "en"]), stemmer_language([None, "de"])
    ('de', 'en', 'en')
    >>> stemmer_language(["ja", "ja"])
    'en'
    """
    counts = Counter(languages)
    if not counts:
        return ENGLISH
    language, count = max(counts.items(), key=lambda item: item[1])
    is_most = 2 * count > counts.total()
    return language if is_most and language and language not in _UNSPACED else ENGLISH


@dataclass(frozen=True)
class Analyzer:
    """Words of texts: lower case, without accents, stemmed in one language.

    Scripts without spaces have words of their own, which are not stemmed: `separated` gives them.
    """

    spaced: tantivy.TextAnalyzer

    @classmethod
    def of(cls, language: str = ENGLISH) -> "Analyzer":
        """The analyzer of a language by its ISO 639-1 code; without stemming for one that has no stemmer.

        >>> Analyzer.of("en").words("Parental leaves")
        (['parent', 'leav'], [])
        >>> Analyzer.of("pl").words("Urlopy")
        (['urlopy'], [])
        """
        steps = [
            tantivy.Filter.remove_long(_LONGEST_WORD_BYTES),
            tantivy.Filter.lowercase(),
            tantivy.Filter.ascii_fold(),
        ]
        if language in STEMMERS:
            steps.append(tantivy.Filter.stemmer(STEMMERS[language]))
        builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        for step in steps:
            builder = builder.filter(step)
        return cls(builder.build())

    def words(self, text: str) -> tuple[list[str], list[str]]:
        """The words of `text`, and apart from them those of scripts without spaces.

        >>> Analyzer.of().words("VPN接続")
        (['vpn'], ['接', '続', '接続'])
        """
        spaced, unspaced = separated(nfc(text))
        return self.spaced.analyze(spaced), unspaced
