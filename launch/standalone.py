"""An exported model: runs with JAX and NumPy alone, from the folder it stands in.

    python model.py "the prompt" 200        # goes on from it, 200 tokens

Or from Python: `Model(folder)` has `start(rows)` and `step(carries, tokens)`. This file
is copied beside the others by `python -m launch.export`: program.bin (the step, for
`jax.export`), params.npz, carries.npz and tokenizer.json.
"""

import json
import pathlib
import re
import sys

import jax
import numpy as np
from jax import export

EOS, UNKNOWN = "<eos>", "<unk>"


class Model:
    """A recurrent language model, one token at a time."""

    def __init__(self, folder: str | pathlib.Path):
        folder = pathlib.Path(folder)
        program = export.deserialize(bytearray((folder / "program.bin").read_bytes()))
        self._step = jax.jit(program.call)
        with np.load(folder / "params.npz") as found:
            self._params = jax.device_put({name: found[name] for name in found.files})
        with np.load(folder / "carries.npz") as found:
            self._carries = [found[str(k)] for k in range(len(found.files))]
        self.tokenizer = json.loads((folder / "tokenizer.json").read_text())

    def start(self, rows: int) -> list[np.ndarray]:
        """Returns the carries before the first token, [rows, ...] each."""
        return [np.repeat(carry, rows, axis=0) for carry in self._carries]

    def step(self, carries: list, tokens: np.ndarray) -> tuple[list, jax.Array]:
        """Returns the carries after the tokens [rows] and logits [rows, V]."""
        return self._step(self._params, carries, np.asarray(tokens, np.int32))

    def encode(self, text: str) -> list[int]:
        """Returns the ids of characters, words or bytes.

        Raises:
            ValueError: the model has no such token, or tokens of another kind.
        """
        match self.tokenizer:
            case {"kind": "byte"}:
                return list(text.encode())
            case {"kind": "char", "characters": known}:
                pieces, known = list(text), list(known)
            case {"kind": "word", "words": known}:
                pieces = text.replace("\n", f" {EOS} ").split()
            case {"kind": kind}:
                raise ValueError(f"Characters, words or bytes were wanted, got {kind}.")
        ids = {piece: k for k, piece in enumerate(known)}
        lacking = [piece for piece in pieces if piece not in ids]
        if lacking and UNKNOWN not in ids:
            raise ValueError(
                f"A prompt of known tokens was wanted, got {lacking[:10]}."
            )
        return [ids.get(piece, ids.get(UNKNOWN, -1)) for piece in pieces]

    def decode(self, ids: list[int]) -> str:
        """Returns the text of characters, words or bytes."""
        match self.tokenizer:
            case {"kind": "byte"}:
                return bytes(ids).decode(errors="replace")
            case {"kind": "char", "characters": known}:
                return "".join((known + "\ufffd")[k] for k in ids)
            case {"kind": "word", "words": known}:
                text = " ".join(known[k] for k in ids)
                return re.sub(f" ?{EOS} ?", "\n", text)
        raise ValueError("Characters, words or bytes were wanted.")

    def write(self, prompt: str, length: int, seed: int = 0) -> str:
        """Returns a prompt and what is drawn after it."""
        ids, rng = self.encode(prompt), np.random.default_rng(seed)
        if not ids:
            raise ValueError("A prompt of at least one token was wanted, got none.")
        carries = self.start(1)
        for token in ids:
            carries, logits = self.step(carries, [token])
        for _ in range(length):
            row = np.asarray(logits[0], np.float64)
            drawn = np.argmax(row + rng.gumbel(size=row.shape))
            ids.append(int(drawn))
            carries, logits = self.step(carries, [drawn])
        return self.decode(ids)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f'usage: python {sys.argv[0]} "the prompt" [tokens]')
    model = Model(pathlib.Path(__file__).parent)
    print(model.write(sys.argv[1], int((*sys.argv, 200)[2])))
