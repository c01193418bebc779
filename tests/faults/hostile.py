"""The corpus: what the project reads, as someone hostile would make it."""

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import tensorstore

from rnnlab.training.sealed import SUMS, seal
from rnnlab.training.stored import METADATA


class Trap:
    """Whoever unpickles it makes the file `canary`."""

    def __init__(self, canary):
        self._canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self._canary}'",)


CONTENTS = {
    "a pickle": lambda canary: pickle.dumps(Trap(canary)) + b"\n",
    "lists in lists": lambda canary: b"[" * 100_000 + b"\n",
    "objects in objects": lambda canary: b'{"a":' * 100_000 + b"\n",
    "a number of 9,999 digits": lambda canary: b"9" * 9999 + b"\n",
    "a number beyond floats": lambda canary: b'{"step": 1e999}\n',
    "NaN": lambda canary: b'{"step": NaN, "event": NaN}\n',
    "a step of 400 digits": lambda canary: b'{"step": 1' + b"0" * 400 + b"}\n",
    "a list": lambda canary: b"[1, 2]\n",
    "a string": lambda canary: b'"step"\n',
    "a lone surrogate": lambda canary: rb'{"step": "\ud800", "\udfff": 1}' + b"\n",
    "keys that come twice": lambda canary: b'{"step": 1, "step": [], "event": 1}\n',
    "objects for numbers": lambda canary: b'{"step": 1, "loss": {}, "event": {}}\n',
    "no UTF-8": lambda canary: b"\xff\xfe\x00\n",
    "zeros": lambda canary: bytes(1 << 16) + b"\n",
}


def forty_gigabytes(path, canary):
    """Makes a file that takes no room on disk."""
    with open(path, "wb") as file:
        file.truncate(40 << 30)


PLACES = {
    "a pipe": lambda path, canary: os.mkfifo(path),
    "a device that never ends": lambda path, canary: path.symlink_to("/dev/zero"),
    "a link out of the folder": lambda path, canary: path.symlink_to(canary),
    "a link to itself": lambda path, canary: path.symlink_to(path),
    "a folder": lambda path, canary: path.mkdir(),
    "40 GB": forty_gigabytes,
}


def put(path, what, canary):
    """Makes `path` one of CONTENTS or PLACES."""
    path.unlink(missing_ok=True)
    if what in CONTENTS:
        path.write_bytes(CONTENTS[what](canary))
    else:
        PLACES[what](path, canary)


def reseal(step):
    """Seals a step's folder anew, as its author could."""
    (step / SUMS).unlink(missing_ok=True)
    seal(step)


def record(step, place, value):
    """Sets what the metadata hold at a place such as `metadata.config.cell`."""
    found = json.loads((step / METADATA).read_bytes())
    inner = found
    *above, last = place.split(".")
    for name in above:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    (step / METADATA).write_text(json.dumps(found))
    reseal(step)


HUGE = 10**400
DOUBLED = [[0, 0], *([i, i] for i in range(256, 316))]  # tokens of up to 2**61 bytes
CONFIG = "metadata.config"
RECORDS = [
    ("leaves", []),
    ("leaves", {".step": ["int32[]"]}),
    ("leaves", {"\ud800" * 9999: "float32[99999999999,99999999999]"}),
    ("metadata", []),
    ("metadata.experiment", "os.system"),
    ("metadata.experiment", "../../x"),
    ("metadata.experiment", ["language_modeling"]),
    ("metadata.experiment", "x" * 100_000),
    ("metadata.config", []),
    ("metadata.config", {"__class__": "os.system"}),
    (f"{CONFIG}.training", "os.system"),
    (f"{CONFIG}.training", None),
    (f"{CONFIG}.training.optimizer", "os.system"),
    (f"{CONFIG}.training.learning_rate", HUGE),
    (f"{CONFIG}.training.learning_rate", float("nan")),
    (f"{CONFIG}.training.seed", HUGE),
    (f"{CONFIG}.training.steps", True),
    (f"{CONFIG}.cell", "__import__"),
    (f"{CONFIG}.cell", "lstm" * 10**6),
    (f"{CONFIG}.cell", {"lstm": 1}),
    (f"{CONFIG}.features", "8"),
    (f"{CONFIG}.features", HUGE),
    (f"{CONFIG}.features", 10**9),
    (f"{CONFIG}.layers", 10**9),
    (f"{CONFIG}.embedding", 2**62),
    (f"{CONFIG}.batch_size", 10**18),
    (f"{CONFIG}.fractions", "9" * 5000 + "/1/1"),
    (f"{CONFIG}.engine", "../scan"),
    (f"{CONFIG}.more", 1),
    ("metadata.data", []),
    ("metadata.data.fingerprint", 7),
    ("metadata.data.tokenizer", ...),
    ("metadata.data.tokenizer", "os.system"),
    ("metadata.data.tokenizer", {"kind": "os.system"}),
    ("metadata.data.tokenizer", {"kind": "word", "words": [[], {}]}),
    ("metadata.data.tokenizer", {"kind": "word", "words": ["\ud800"] * 26}),
    ("metadata.data.tokenizer", {"kind": "word", "words": ["a"] * 10**6}),
    ("metadata.data.tokenizer", {"kind": "subword", "merges": [[97]]}),
    ("metadata.data.tokenizer", {"kind": "subword", "merges": [[HUGE, -1]]}),
    ("metadata.data.tokenizer", {"kind": "subword", "merges": DOUBLED}),
    ("metadata.data.tokenizer.characters", "\ud800" * 26),
    ("metadata.data.tokenizer.characters", ""),
    ("metadata.history", []),
    ("metadata.history", {"__class__": 1}),
    ("metadata.history.count", HUGE),
    ("metadata.history.best_step", "../../x"),
    ("metadata.history.best_loss", float("nan")),
    ("metadata.history.train_seconds", HUGE),
]
RESUMED = [  # what only a run that goes on reads
    ("metadata.numerics", []),
    ("metadata.numerics", {"jax": {"\ud800": HUGE}}),
    ("metadata.numerics", "os.system"),
]


def model_of_gigabytes(step):
    """Records a model of 8,192 units, and says that its arrays are there."""
    import jax

    import experiments
    from launch import records
    from rnnlab.training.leaves import kind, named
    from rnnlab.training.step import init

    record(step, f"{CONFIG}.features", 2**13)
    found = records.from_json(json.loads((step / METADATA).read_bytes())["metadata"])
    task = experiments.load(found.experiment).rebuild(found.config, found.data)
    like = jax.eval_shape(lambda: init(task, found.config.training))
    record(step, "leaves", {name: kind(leaf) for name, leaf in named(like).items()})


ARRAY = ".params['embedding']"  # [26, 8]


def _array(change):
    """Returns a function that changes the description of an array, and its chunks."""

    def spoil(step):
        base = f"file://{step}/state/state/"
        store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
        found = json.loads(store.read(f"{ARRAY}/zarr.json").result().value)
        chunk = change(found)
        store.write(f"{ARRAY}/zarr.json", json.dumps(found).encode()).result()
        if chunk is not None:
            store.write(f"{ARRAY}/c/0/0", chunk).result()
        reseal(step)

    return spoil


def _chunks(shape):
    def change(found):
        found["chunk_grid"]["configuration"]["chunk_shape"] = shape
        found["codecs"][0]["configuration"]["chunk_shape"] = shape

    return change


def _packed(found, chunk):
    number = {"name": "bytes", "configuration": {"endian": "little"}}
    found["codecs"] = [number, {"name": "gzip", "configuration": {"level": 9}}]
    return chunk


ARRAYS = {
    "another shape": _array(lambda found: found.update(shape=[26, 9])),
    "a shape of 40 GB": _array(lambda found: found.update(shape=[1 << 20, 10_000])),
    "another dtype": _array(lambda found: found.update(data_type="int8")),
    "chunks of 40 GB": _array(_chunks([1 << 20, 10_000])),
    "chunks of 2**62 rows": _array(_chunks([1 << 62, 1 << 62])),
    "a chunk that unpacks to 16 GB": _array(
        lambda found: _packed(found, gzip.compress(bytes(1 << 26)) * 256)
    ),
    "an empty chunk": _array(lambda found: b""),
    "a codec that is none": _array(
        lambda found: found.update(codecs=[{"name": "os.system"}])
    ),
    "lists in lists": _array(lambda found: found.update(attributes=_nested(900))),
}


def _nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


def _tree(step, value):
    """Says that the leaves of a step are of another kind."""
    file = step / "state" / "state" / "_METADATA"
    found = json.loads(file.read_bytes())
    for leaf in found["tree_metadata"].values():
        leaf["value_metadata"] |= value
    file.write_text(json.dumps(found))
    reseal(step)


def handler(step, name):
    """Names the class that is to read a step."""
    file = step / "state" / "_CHECKPOINT_METADATA"
    found = json.loads(file.read_bytes())
    found["item_handlers"] = {"state": name}
    file.write_text(json.dumps(found))
    reseal(step)


ARRAYS |= {
    "leaves that are None": lambda step: _tree(
        step, {"value_type": "None", "skip_deserialize": True}
    ),
    "leaves of a class": lambda step: _tree(step, {"value_type": "os.system"}),
}


def _tensors(header, size=24):
    """Returns a safetensors file with this header, and so many bytes of arrays."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(data)) + data + bytes(size)


def _tensor(**more):
    return {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **more}}


TENSORS = {
    "a header of 2**60 bytes": struct.pack("<Q", 1 << 60) + bytes(99),
    "a header of lists in lists": _tensors(b'{"w":' + b"[" * 50_000),
    "an array of 2**62 bytes": _tensors(_tensor(data_offsets=[0, 1 << 62])),
    "a shape of 2**60 rows": _tensors(_tensor(shape=[1 << 60, 3])),
    "an array that begins after its end": _tensors(_tensor(data_offsets=[24, 0])),
    "a negative shape": _tensors(_tensor(shape=[-2, -3])),
    "a dtype that is none": _tensors(_tensor(dtype="os.system")),
    "a dtype that NumPy has not": _tensors(_tensor(dtype="F8_E5M2", shape=[24])),
    "no file": b"",
}


def deep(folder):
    """Makes folders in folders, so many that recursion ends."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


STEPS = {  # by the number that the step gets
    51: lambda step: (step / "state" / "link").symlink_to("/etc/passwd"),
    52: lambda step: (step / "state" / "folder").symlink_to("/etc"),
    53: lambda step: os.mkfifo(step / "state" / "pipe"),
    54: lambda step: forty_gigabytes(step / SUMS, None),
    55: lambda step: forty_gigabytes(step / "state" / "more", None),
    56: lambda step: deep(step / "state"),
    57: lambda step: os.close(os.open(os.fsencode(step) + b"/\xff", os.O_CREAT)),
    58: lambda step: (step / SUMS).write_text("no digest\n" * 100_000),
    59: lambda step: put(step / METADATA, "a device that never ends", None),
    60: lambda step: put(step / SUMS, "a pipe", None),
    61: lambda step: (step / SUMS).write_text(f"{'0' * 64}  ../../../etc/passwd\n"),
    62: lambda step: shutil.rmtree(step / "state"),
}


def _tar(path, members, mode="w"):
    """Makes a tar of (name, bytes or None, what else its header says)."""
    with tarfile.open(path, mode) as archive:
        for name, data, more in members:
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            for field, value in more.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data or b""))
    return path


def _header(path, change, rest=b""):
    """Makes a tar of one header that `change` spoils, and what comes after it."""
    info = tarfile.TarInfo("train.txt")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    change(header)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + rest)
    return path


def _size(number):
    """Returns a change of a header: its size, in base 256."""

    def change(header):
        header[124:136] = b"\x80" if number >= 0 else b"\xff"
        sign = b"\x80" if number >= 0 else b"\xff"
        header[124:136] = sign + number.to_bytes(11, "big", signed=True)

    return change


def _long(number):
    def change(header):
        _size(number)(header)
        header[156:157] = tarfile.GNUTYPE_LONGNAME

    return change


def _zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, packing in members:
            archive.writestr(name, data, packing)
    return path


def _link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def _lying(path):
    """Makes a zip whose member says that it has 9 bytes, and has 64 MB."""
    _zip(path, [("train.txt", bytes(1 << 26), zipfile.ZIP_DEFLATED)])
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 1 << 26), struct.pack("<L", 9)))
    return path


def _packed_tar(path, size):
    """Makes a .tar.gz whose member has so many zeros, in a thousandth of the room."""
    info = tarfile.TarInfo("train.txt")
    info.size = size
    block = gzip.compress(bytes(1 << 26))
    path.write_bytes(gzip.compress(info.tobuf()) + block * (size >> 26))
    return path


def _empty_headers(path):
    """Makes a .tar.gz of a million members, in a few hundred KB."""
    block = gzip.compress(tarfile.TarInfo("a").tobuf() * 1000)
    path.write_bytes(block * 1000 + gzip.compress(bytes(1024)))
    return path


TEXT = b"of beer on the wall\n" * 99
STORED, DEFLATED, BZIP2 = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2
ARCHIVES = {
    "..": ("a.tar", lambda path, c: _tar(path, [(f"../{c.name}", TEXT, {})])),
    "an absolute name": ("a.tar", lambda path, c: _tar(path, [(str(c), TEXT, {})])),
    "a link, and through it": (
        "a.tar.gz",
        lambda path, c: _tar(
            path,
            [
                ("d", None, {"type": tarfile.SYMTYPE, "linkname": str(c.parent)}),
                (f"d/{c.name}", TEXT, {}),
            ],
            "w:gz",
        ),
    ),
    "a hard link": (
        "a.tar",
        lambda path, c: _tar(
            path,
            [("train", None, {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})],
        ),
    ),
    "a device": (
        "a.tar",
        lambda path, c: _tar(path, [("train", None, {"type": tarfile.CHRTYPE})]),
    ),
    "a pipe": (
        "a.tar",
        lambda path, c: _tar(path, [("train", None, {"type": tarfile.FIFOTYPE})]),
    ),
    "a member that leads back": ("a.tar", lambda path, c: _header(path, _size(-1024))),
    "a member of 2**80 bytes": ("a.tar", lambda path, c: _header(path, _size(2**80))),
    "a name of 4 GB": (
        "a.tar.gz",
        lambda path, c: path.write_bytes(
            gzip.compress(_header(path, _long(4 << 30)).read_bytes())
            + gzip.compress(bytes(1 << 26)) * 64
        ),
    ),
    "a name of -512 bytes": (
        "a.tar.gz",
        lambda path, c: path.write_bytes(
            gzip.compress(_header(path, _long(-512)).read_bytes())
            + gzip.compress(bytes(1 << 26)) * 64
        ),
    ),
    "a tar of 16 GB": ("a.tar.gz", lambda path, c: _packed_tar(path, 16 << 30)),
    "what comes after the end": (
        "a.tar.gz",
        lambda path, c: path.write_bytes(
            gzip.compress(_tar(path, [("train.txt", TEXT, {})]).read_bytes())
            + gzip.compress(bytes(1 << 26)) * 256
        ),
    ),
    "a million members": ("a.tar.gz", lambda path, c: _empty_headers(path)),
    "a sparse map without end": (
        "a.tar",
        lambda path, c: _tar(
            path,
            [
                (
                    "train.txt",
                    b"99999\n",
                    {
                        "pax_headers": {
                            "GNU.sparse.major": "1",
                            "GNU.sparse.minor": "0",
                        }
                    },
                )
            ],
        ),
    ),
    "a pickle for a tar": (
        "a.tar",
        lambda path, c: path.write_bytes(pickle.dumps(Trap(c))),
    ),
    "a pickle for a zip": (
        "a.zip",
        lambda path, c: path.write_bytes(pickle.dumps(Trap(c))),
    ),
    ".. in a zip": (
        "a.zip",
        lambda path, c: _zip(path, [(f"../{c.name}", TEXT, STORED)]),
    ),
    "an absolute name in a zip": (
        "a.zip",
        lambda path, c: _zip(path, [(str(c), TEXT, STORED)]),
    ),
    "a link in a zip": (
        "a.zip",
        lambda path, c: _zip(path, [(_link("train.txt"), b"/etc/passwd", STORED)]),
    ),
    "a zip of 512 MB": (
        "a.zip",
        lambda path, c: _zip(path, [("train.txt", bytes(1 << 29), DEFLATED)]),
    ),
    "a zip that lies of its size": ("a.zip", lambda path, c: _lying(path)),
    "a zip of bzip2": (
        "a.zip",
        lambda path, c: _zip(path, [("train.txt", bytes(1 << 26), BZIP2)]),
    ),
}
DATA = {
    "a pickle": lambda path, c: path.write_bytes(pickle.dumps(Trap(c))),
    "a pickle of NumPy": lambda path, c: path.write_bytes(
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"
        + b" " * 57
        + b"\n"
        + pickle.dumps(Trap(c))
    ),
    "a pipe": lambda path, c: os.mkfifo(path),
    "a device that never ends": lambda path, c: path.symlink_to("/dev/zero"),
    "a folder with these": lambda path, c: (
        path.mkdir(),
        os.mkfifo(path / "train.txt"),
        (path / "valid.txt").symlink_to("/dev/zero"),
    ),
    "a lone surrogate": lambda path, c: path.write_bytes(b"\xed\xa0\x80" * 999),
}


def prepared(folder, module):
    """Makes a data set of tensorflow-datasets, a feature of which is in a module."""
    place = folder / "hostile_set" / "1.0.0"
    place.mkdir(parents=True)
    info = {"name": "hostile_set", "version": "1.0.0", "fileFormat": "array_record"}
    (place / "dataset_info.json").write_text(json.dumps(info))
    features = {"type": f"{module}.Feature", "content": {}}
    (place / "features.json").write_text(json.dumps(features))


def importable(folder, name, canary):
    """Makes a module that makes the canary."""
    Path(folder, f"{name}.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
