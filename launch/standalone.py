"""An exported model: runs with JAX and NumPy alone, from the folder it stands in.

    python model.py "the prompt" 200        # goes on from it, 200 tokens

Or from Python: `Model(folder)` has `start(rows)` and `step(carries, tokens)`. This file
is copied beside the others by `python -m launch.export`: program.bin (the step, for
`jax.export`), params.npz, carries.npz and tokenizer.json.
"""

import itertools
import json
import pathlib
import re
import sys
import unicodedata

import jax
import numpy as np
from jax import export

EOS = "<eos>"
SHORT = "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"  # as GPT-2 cuts them off
PIECE = re.compile(r" ?L+| ?N+| ?O+|[ S]+(?![LNO])|[ S]+")  # of what `kinds` returns


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
        """Returns the ids of characters, words, bytes or subwords.

        Raises:
            ValueError: the model has no such token.
        """
        match self.tokenizer:
            case {"kind": "byte"}:
                return list(text.encode())
            case {"kind": "char", "characters": known}:
                pieces, known = list(text), list(known)
            case {"kind": "word", "words": known}:
                pieces = text.replace("\n", f" {EOS} ").split()
            case {"kind": "subword", "merges": merges}:
                return merged(text, merges)
        ids = {piece: k for k, piece in enumerate(known)}
        lacking = [piece for piece in pieces if piece not in ids]
        if lacking:
            raise ValueError(
                f"A prompt of known tokens was wanted, got {lacking[:10]}; leave these"
                f" out."
            )
        return [ids[piece] for piece in pieces]

    def decode(self, ids: list[int]) -> str:
        """Returns the text of characters, words, bytes or subwords."""
        match self.tokenizer:
            case {"kind": "byte"}:
                return bytes(ids).decode(errors="replace")
            case {"kind": "char", "characters": known}:
                return "".join((known + "\ufffd")[k] for k in ids)
            case {"kind": "word", "words": known}:
                text = " ".join(known[k] for k in ids)
                return re.sub(f" ?{EOS} ?", "\n", text)
            case {"merges": merges}:
                known = made(merges)
                return b"".join(known[k] for k in ids).decode(errors="replace")

    def write(self, prompt: str, length: int, seed: int = 0) -> str:
        """Returns a prompt and what is drawn after it."""
        ids, rng = self.encode(prompt), np.random.default_rng(seed)
        if not ids:
            raise ValueError("A prompt of a token or more was wanted; write some text.")
        carries = self.start(1)
        for token in ids:
            carries, logits = self.step(carries, [token])
        for _ in range(length):
            row = np.asarray(logits[0], np.float64)
            drawn = np.argmax(row + rng.gumbel(size=row.shape))
            ids.append(int(drawn))
            carries, logits = self.step(carries, [drawn])
        return self.decode(ids)


def made(merges: list) -> list[bytes]:
    """Returns the bytes of each subword; a pair that makes known ones adds none."""
    tokens = {bytes((byte,)): None for byte in range(256)}
    listed = [*tokens]
    for left, right in merges:
        token = listed[left] + listed[right]
        if token not in tokens:
            tokens[token] = None
            listed.append(token)
    return listed


def kinds(text: str) -> str:
    """Returns a letter for each character: letter, number, other, space or a blank."""

    def kind(character):
        if character == " ":
            return " "
        if character in "\t\n\v\f\r\x85":
            return "S"
        found = unicodedata.category(character)[0]
        return {"L": "L", "N": "N", "Z": "S"}.get(found, "O")

    return "".join(map(kind, text))


def merged(text: str, merges: list) -> list[int]:
    """Returns the ids of subwords: in each piece the pair learned first is merged."""
    names = made(merges)
    ids = {name: k for k, name in enumerate(names)}
    ranks = {tuple(pair): rank for rank, pair in reversed([*enumerate(merges)])}
    found, place, sorts = [], 0, kinds(text)
    while place < len(text):
        short = [s for s in SHORT if text.startswith(s, place)]
        end = place + len(short[0]) if short else PIECE.match(sorts, place).end()
        piece = [*text[place:end].encode(errors="replace")]
        while len(piece) > 1:
            pairs = [*itertools.pairwise(piece)]
            best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
            if best not in ranks:
                break
            k = pairs.index(best)
            piece[k : k + 2] = [ids[names[best[0]] + names[best[1]]]]
        found += piece
        place = end
    return found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not (*sys.argv, "200")[2].isdecimal():
        sys.exit(f'usage: python {sys.argv[0]} "the prompt" [tokens]')
    model = Model(pathlib.Path(__file__).parent)
    try:
        print(model.write(sys.argv[1], int((*sys.argv, "200")[2])))
    except ValueError as error:
        sys.exit(str(error))
