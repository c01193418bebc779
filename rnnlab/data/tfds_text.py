"""Text from tensorflow-datasets, which runs without TensorFlow on array_record files.

Examples are joined in the data set's order, and one that does not end a line gets a
line end: a data set with a line for each example is then the file it was made from.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rnnlab.data.members import CHUNK, Member, from_file
from rnnlab.errors import InputError

_EXAMPLES = 256  # read at once: some twenty times as fast as one by one
_NAME = re.compile(r"\w+(/[\w.+-]+)?(:[\d.*]+)?")
_UNKNOWN = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    AssertionError,
    ImportError,
)


def members(
    name: str, data_dir: str | None
) -> tuple[dict[str, Member], dict[str, Member]]:
    """Prepares a data set where it is not, and gives its text.

    Args:
        name: `NAME`, `NAME/config` or `NAME/config:version`.
        data_dir: Where prepared data lies; None for tensorflow-datasets' default.

    Returns:
        By the data set's own split names, the text and the files that it is stored in.
        Hashing those is far quicker than reading the text: 35 us an example.

    Raises:
        InputError: Unknown, impossible to prepare here, or without a text.
    """
    # Imported here: it takes a second, and only this source needs it.
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    if not _NAME.fullmatch(name):  # huggingface:NAME and the like run foreign code
        raise InputError(
            "NAME, NAME/config or NAME/config:version was wanted after tfds:, and "
            f"{name!r:.80} is neither of them; check the name in --data."
        )
    _own_features(tfds.features.FeatureConnector)
    try:
        builder: Any = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except (*_UNKNOWN, ParseError) as error:
        raise InputError(
            "A data set that tensorflow-datasets knows, or one prepared in data_dir "
            f"as array_record, was wanted, and tfds:{name} is neither "
            f"({_first_line(error)}); check the name in --data, or --data_dir."
        ) from error
    if not builder.is_prepared():
        _prepare(builder, name)
    key = _text_key(builder.info.features, tfds.features.Text, name)
    texts, stored = {}, {}
    for split, info in builder.info.splits.items():
        rows = builder.as_data_source(split=split)
        texts[split] = _joined(f"tfds:{name} {split}", rows, key)
        stored[split] = _concatenated([Path(path) for path in info.filepaths])
    return texts, stored


@functools.cache
def _own_features(connector: Any) -> None:
    """Lets a prepared data set have features of tensorflow-datasets only.

    Its files name the class of each, and the module of one that is not known would be
    imported: it may lie beside them.
    """
    find = connector.cls_from_name

    def own(cls: type, name: Any) -> Any:
        if not str(name).startswith("tensorflow_datasets."):
            raise ValueError(f"it has features of {name!r:.80}")
        return find(name)

    connector.cls_from_name = classmethod(own)


def _prepare(builder: Any, name: str) -> None:
    from tensorflow_datasets.core.download.util import DownloadError

    try:
        builder.download_and_prepare()
    # No network, no TensorFlow to unpack with, or files that only a person can fetch.
    except (OSError, DownloadError, ImportError, AssertionError) as error:
        raise InputError(
            f"Prepared data was wanted for tfds:{name} in {builder.data_dir}, and it "
            f"can be neither downloaded nor prepared here ({_first_line(error)}); "
            "prepare it where there is a network with file_format='array_record', and "
            "name its folder with --data_dir."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _text_key(features: Any, kind: type, name: str) -> str:
    keys = [key for key, feature in features.items() if isinstance(feature, kind)]
    if "text" in keys:
        return "text"
    if len(keys) == 1:
        return keys[0]
    raise InputError(
        f"A feature 'text', or only one Text feature, was wanted in tfds:{name}, which "
        f"has {', '.join(keys) or 'none'} among {', '.join(features)}; name another "
        "data set with --data."
    )


def _joined(name: str, rows: Any, key: str) -> Member:
    def examples() -> Iterator[bytes]:
        for first in range(0, len(rows), _EXAMPLES):
            some = range(first, min(first + _EXAMPLES, len(rows)))
            for example in rows.__getitems__(some):
                text: bytes = example[key]
                yield text if text.endswith(b"\n") else text + b"\n"

    def read(start: int) -> Iterator[bytes]:
        buffer = bytearray()
        for text in examples():
            buffer += text
            if len(buffer) >= CHUNK:
                yield bytes(buffer[start:])
                start = max(0, start - len(buffer))
                buffer.clear()
        yield bytes(buffer[start:])

    return Member(name, read)


def _concatenated(paths: Sequence[Path]) -> Member:
    """The files one after another; for hashing, which reads from the start only."""
    files = [from_file(path) for path in paths]
    return Member(
        files[0].name,
        lambda start: itertools.chain.from_iterable(file.read(start) for file in files),
    )
