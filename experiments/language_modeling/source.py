"""Which text, and what its tokens are: settings of all that reads one."""

import dataclasses

from rnnlab.data import text
from rnnlab.data.tokenizers import TOKENIZERS
from rnnlab.errors import InputError
from rnnlab.options import check, option


@dataclasses.dataclass(frozen=True)
class Source:
    """A text, cut into splits and tokens."""

    data: str = option(
        "",
        "text file, folder or archive with train/valid/test files, or tfds:NAME;"
        " by default the language reference that Python carries",
        free=True,
    )
    tokens: str = option("char", "what a token is", choices=TOKENIZERS)
    vocab_size: int | None = option(
        None, "most frequent words kept, or subwords learned, which need it", above=1
    )
    fractions: str = option("90/5/5", "train/valid/test shares of a single text")
    data_dir: str | None = option(None, "folder of prepared tfds data", free=True)
    cache_dir: str | None = option(
        None, "folder of tokenised text; by default ~/.cache/rnnlab", free=True
    )

    def __post_init__(self):
        check(self)
        self.shares()

    def corpus(self) -> text.Corpus:
        """Reads the text, or finds its ids in the cache.

        Raises:
            InputError: it cannot be used.
            StorageError: the cache cannot be written.
        """
        return text.load(
            self.data,
            self.tokens,
            self.vocab_size,
            self.shares(),
            self.data_dir,
            self.cache_dir,
        )

    def shares(self) -> tuple[float, float, float]:
        """Returns the shares of train, valid and test, which sum to one."""
        parts = self.fractions.split("/")
        fit = all(part.isdecimal() and len(part) < 10 for part in parts)
        if len(parts) != 3 or not fit:
            raise InputError(
                f"--fractions must be three whole numbers like 90/5/5, got"
                f" {self.fractions!r:.80}."
            )
        train, valid, test = (int(part) for part in parts)
        total = train + valid + test
        if train == 0:
            raise InputError(
                f"--fractions needs a share for train, got {self.fractions!r}."
            )
        return train / total, valid / total, test / total
