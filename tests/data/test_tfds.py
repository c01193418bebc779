"""`tfds:NAME`, from a tiny builder in a package, prepared offline."""

import importlib
import sys

import pytest

from rnnlab.data import text
from rnnlab.errors import InputError

BUILDER = """
import tensorflow_datasets as tfds

class {name}(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            disable_shuffling=True,
            features=tfds.features.FeaturesDict({features}),
        )

    def _split_generators(self, dl):
        {prepare}
        return {{split: self._generate_examples(split) for split in {splits}}}

    def _generate_examples(self, split):
        for i, line in enumerate([f"{{split}} \u00e9", "", "end\\n"] * 200):
            yield i, {{key: line for key in {features}}}
"""
TEXT = "{'text': tfds.features.Text(), 'other': tfds.features.Text()}"
OFFLINE = "raise ConnectionError('no route to host')"


@pytest.fixture(scope="module")
def builders(tmp_path_factory):
    root = tmp_path_factory.mktemp("package")
    package = root / "rnnlab_toy_sets"
    package.mkdir()
    (package / "__init__.py").write_text("")

    def define(name, features=TEXT, splits=("train", "validation"), prepare="pass"):
        code = BUILDER.format(
            name=name, features=features, splits=splits, prepare=prepare
        )
        (package / f"{name.lower()}.py").write_text(code)
        importlib.invalidate_caches()
        return getattr(importlib.import_module(f"{package.name}.{name.lower()}"), name)

    sys.path.insert(0, str(root))
    yield define
    sys.path.remove(str(root))


def test_named_splits_from_prepared_data(builders, tmp_path):
    builder = builders("RnnlabToy")(data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare()
    expected = {
        "train": "train é\n\nend\n" * 200,
        "valid": "validation é\n\nend\n" * 200,
    }
    for name in ("tfds:rnnlab_toy", "tfds:rnnlab_toy:1.0.0"):
        corpus = text.load(
            name, "byte", data_dir=str(tmp_path), cache_dir=str(tmp_path / "c")
        )
        decode = corpus.tokenizer.decode
        assert {k: decode(v.tolist()) for k, v in corpus.splits.items()} == expected


def test_a_train_split_alone_is_split_by_position(builders, tmp_path):
    builders("RnnlabAlone", "{'line': tfds.features.Text()}", ("train",))
    corpus = text.load(
        "tfds:rnnlab_alone",
        "word",
        fractions=(0.5, 0.5, 0),
        data_dir=str(tmp_path),
        cache_dir=str(tmp_path / "c"),
    )
    tokens = {split: len(ids) for split, ids in corpus.splits.items()}
    assert tokens["train"] + tokens["valid"] == 200 * 6
    assert abs(tokens["train"] - 600) <= 6


@pytest.mark.parametrize(
    ("name", "features", "prepare", "message"),
    [
        (
            "RnnlabFar",
            TEXT,
            OFFLINE,
            r"can be neither .* \(no route to host\).*data_dir",
        ),
        ("RnnlabBig", TEXT, "import no_such", "can be neither .*no_such.*data_dir"),
        ("RnnlabTwo", TEXT.replace("text", "a"), "pass", "has a, other among a, other"),
    ],
)
def test_data_that_cannot_be_had(builders, tmp_path, name, features, prepare, message):
    builders(name, features, prepare=prepare)
    with pytest.raises(InputError, match=message):
        text.load(f"tfds:{name}", data_dir=str(tmp_path), cache_dir=str(tmp_path / "c"))


@pytest.mark.parametrize("name", ["no_such_set", "no such set", "", "mnist:99.0.0"])
def test_data_that_does_not_exist(tmp_path, name):
    with pytest.raises(InputError, match="is neither .* check the name in --data"):
        text.load(f"tfds:{name}", data_dir=str(tmp_path), cache_dir=str(tmp_path / "c"))
