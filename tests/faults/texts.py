"""Texts to train on, and each way in which one may be spoiled."""

import io
import os
import tarfile
import zipfile

LINES = [f"{n} bottles of beer on the wall, {n} bottles.\n" for n in range(99)]
TEXT = "".join(LINES).encode()


def _written(content):
    def write(folder):
        file = folder / "text.txt"
        file.write_bytes(content)
        return file

    return write


def _tarred(folder, name):
    """Writes an archive whose members name their split."""
    file = folder / name
    with tarfile.open(file, "w:gz" if name.endswith("gz") else "w") as archive:
        for split in ("train", "valid", "test"):
            info = tarfile.TarInfo(f"{split}.txt")
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
    return file


def _zipped(folder, name):
    file = folder / name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "valid", "test"):
            archive.writestr(f"{split}.txt", TEXT)
    return file


def _cut(write, name, share):
    """Returns an archive that ends too early."""

    def cut(folder):
        file = write(folder, name)
        os.truncate(file, int(share * file.stat().st_size))
        return file

    return cut


def _spoiled(folder):
    """Returns an archive in which the header of its second member is spoiled."""
    file = _tarred(folder, "text.tar")
    with file.open("r+b") as stream:
        stream.seek(512 + -(-len(TEXT) // 512) * 512)
        stream.write(b"x" * 512)
    return file


def _splits(folder):
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_bytes(TEXT)
    return folder


def _two_texts(folder):
    for name in ("one.txt", "two.txt"):
        (folder / name).write_bytes(TEXT)
    return folder


def _empty_folder(folder):
    (folder / "nothing").mkdir()
    return folder / "nothing"


def _pipe(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _folder_of_folders(folder):
    (folder / "train.txt").mkdir()
    return folder


EVERY = "".join(map(chr, [*range(32, 0xD800), *range(0xE000, 0x10000)]))
UNTOUCHED = {
    "as it is": _written(TEXT),
    "a folder": _splits,
    "a tar.gz": lambda folder: _tarred(folder, "text.tar.gz"),
    "a tar": lambda folder: _tarred(folder, "text.tar"),
    "a zip": lambda folder: _zipped(folder, "text.zip"),
}
# To be refused whatever --tokens is.
REFUSED = {
    "empty": _written(b""),
    "one byte": _written(b"x"),
    "shorter than a batch": _written(TEXT[:40]),
    "an empty folder": _empty_folder,
    "a folder of folders": _folder_of_folders,
    "two texts": _two_texts,
    "missing": lambda folder: folder / "missing.txt",
    "unreadable": lambda folder: "/proc/self/mem",
    "a pipe": _pipe,
    "a device": lambda folder: "/dev/zero",
    "a name too long": lambda folder: folder / ("x" * 5000),
    "half a tar.gz": _cut(_tarred, "text.tar.gz", 0.5),
    "most of a tar.gz": _cut(_tarred, "text.tar.gz", 0.99),
    "half a tar": _cut(_tarred, "text.tar", 0.5),
    "a tar cut in a header": lambda folder: _header(folder),
    "a tar with a spoiled header": _spoiled,
    "half a zip": _cut(_zipped, "text.zip", 0.5),
    "no archive": lambda folder: _written(TEXT)(folder).rename(folder / "text.zip"),
}
# To be refused, or read as they are; --tokens says which.
SPOILED = {
    "not UTF-8": _written(TEXT.replace(b"beer", b"bi\xe8re")),
    "UTF-16": _written(TEXT.decode().encode("utf-16")),
    "a mark": _written(b"\xef\xbb\xbf" + TEXT),
    "CRLF": _written(TEXT.replace(b"\n", b"\r\n")),
    "a NUL": _written(TEXT[:700] + b"\0" + TEXT[700:]),
    "one long line": _written(TEXT.replace(b"\n", b" ")),
    "one long word": _written(TEXT.replace(b"\n", b"").replace(b" ", b"")),
    "long lines": _written(TEXT.replace(b"s.\n", b"s. ", 97)),
    "white space": _written(b" \n\t" * 999),
    "one character": _written(b"x" * 999),
    "only line ends": _written(b"\n" * 999),
    "a lone surrogate": _written(TEXT + b"\xed\xa0\x80"),
    "half a character": _written(TEXT + "é".encode()[:1]),
    "every character": _written(EVERY.encode()),
    "many words": _written(" ".join(map(str, range(30_000))).encode()),
    "escapes": _written(TEXT.replace(b"beer", b"\x1b[31m")),
}
ALL = UNTOUCHED | REFUSED | SPOILED


def _header(folder):
    file = _tarred(folder, "text.tar")
    os.truncate(file, 512 + -(-len(TEXT) // 512) * 512 + 100)
    return file


def content(path):
    """Returns the bytes that a source holds, its splits one after the other."""
    if path.is_dir():
        return b"".join((path / f"{s}.txt").read_bytes() for s in SPLITS)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(f"{s}.txt") for s in SPLITS)
    if ".tar" in path.suffixes:
        with tarfile.open(path) as archive:
            return b"".join(archive.extractfile(f"{s}.txt").read() for s in SPLITS)
    return path.read_bytes()


SPLITS = ("train", "valid", "test")
