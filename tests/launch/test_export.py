"""A trained model runs without this code, and says the same."""

import subprocess
import sys

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from launch import trained
from launch.standalone import Model
from rnnlab.cells import LRU, LSTM, MLSTM, NeuralStack
from rnnlab.data.subwords import Subword
from rnnlab.data.tokenizers import Byte, Char, Word
from rnnlab.engines import Deferred, Scan
from rnnlab.nn import (
    TCN,
    Adaptive,
    Blocks,
    LanguageModel,
    Mixture,
    Softmax,
    Stack,
    Transformer,
    exported,
)

V = 7


def stack(cell, engine=Scan()):
    return Stack((cell, cell), engine)


MODELS = {
    "lstm": (stack(LSTM(6), Deferred()), Softmax(V, tied=True)),
    "lru": (stack(LRU(6)), Softmax(V, tied=True)),
    "matrix": (stack(MLSTM(6)), Softmax(V)),
    "neural stack": (stack(NeuralStack(6)), Softmax(V)),
    "adaptive": (stack(LSTM(6)), Adaptive(V, cutoffs=(3,))),
    "blocks, mixture": (Blocks(6, (LRU(6),)), Mixture(V, experts=2)),
    "tcn": (TCN(6, (6, 6)), Softmax(V)),
    "transformer": (Transformer(6, layers=1, heads=1, context=4), Softmax(V)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_program_is_the_model_s_step(name):
    """For carries of all kinds and any number of rows."""
    model = LanguageModel(6, *MODELS[name])
    tokens = np.arange(6, dtype=np.int32).reshape(2, 3) % V
    start = model.initial((3,))
    params = model.init(jax.random.key(0), start, tokens)["params"]
    found = exported.step(model, params)
    call = jax.export.deserialize(bytearray(found.program)).call
    carries = [jnp.repeat(carry, 3, axis=0) for carry in found.carries]
    for wanted in model.apply({"params": params}, start, tokens)[1]:
        carries, logits = call(found.params, carries, tokens[0])
        np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
        tokens = tokens[1:]


TOKENIZERS = Char("ab c\n"), Word(("a", "<eos>", "b")), Byte()


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.kind)
def test_its_tokens_are_those_of_the_tokenizer(tokenizer):
    model = Model.__new__(Model)
    model.tokenizer = tokenizer.to_json()
    text = "a b\na\n"
    ids = model.encode(text)
    assert ids == tokenizer.encode(text).tolist()
    assert model.decode(ids) == tokenizer.decode(ids)


def test_a_prompt_of_unknown_tokens_is_named():
    model = Model.__new__(Model)
    for tokenizer in (Char("ab "), Word(("a", "ab", "<unk>"))):
        model.tokenizer = tokenizer.to_json()
        with pytest.raises(ValueError, match="known tokens.*'z'.*; leave these out"):
            model.encode("ab z")


TEXT = "It's 24 o'clock, isn't it?  We'll see 3½\t\nand the end of the text's, ²x\n"
SUBWORD = Subword.fit([TEXT * 3, "the then their see seen"], 300)


@given(st.text(max_size=30) | st.text("'stdlmrev 1½\n\t.é\x1f\xa0", max_size=30))
@settings(max_examples=300, deadline=None)
def test_subwords_are_those_of_the_library(text):
    model = Model.__new__(Model)
    model.tokenizer = SUBWORD.to_json()
    for one in (text, TEXT):
        ids = model.encode(one)
        assert ids == SUBWORD.encode(one).tolist()
        assert model.decode(ids) == one


def test_an_exported_folder_runs_alone(run, corpus, tmp_path):
    workdir, out = tmp_path / "run", tmp_path / "out"
    small = ["--features=8", "--batch_size=4", "--length=10", "--steps=3"]
    data = [f"--data={corpus}", f"--cache_dir={tmp_path / 'cache'}", "--tokens=word"]
    code, _, err = run("run", *data, *small, f"--workdir={workdir}")
    assert code == 0, err
    code, told, err = run("export", f"--workdir={workdir}", f"--out={out}")
    assert code == 0 and "model.py" in told, err
    assert not (tmp_path / "out.part").exists()
    record, task, state = trained.restore(str(workdir))
    model = Model(out)
    text = corpus.read_text().split("\n")[0][:40]
    ids = model.encode(text)
    carries, logits = model.start(2), None
    for token in ids:
        carries, logits = model.step(carries, [token, token])
    given = task.model.initial((1,)), np.array(ids)[:, None]
    _, wanted = task.model.apply({"params": state.params}, *given)
    np.testing.assert_allclose(logits[1], wanted[-1, 0], rtol=1e-4, atol=1e-5)
    assert model.decode(ids).split() == text.split()
    code = "import runpy, sys; sys.argv = ['model.py', sys.argv[2], '20'];"
    code += f"runpy.run_path({str(out / 'model.py')!r}, run_name='__main__');"
    code += "assert not {'rnnlab', 'flax', 'launch'} & {*sys.modules}"
    ran = subprocess.run(
        [sys.executable, "-c", code, "model.py", text],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(model.decode(ids)[:20])
    code, _, err = run("export", f"--workdir={workdir}", f"--out={out}")
    assert code == 2 and "must be a new folder" in err
