"""Writes text with a trained language model: `python -m launch.sample --workdir=DIR`.

The checkpoint is all it needs: configuration and tokenizer are inside. Text appears
as it is drawn; several texts are written one after the other.

--prompts=FILE       goes on from each line of a file, side by side
--beam=4             writes the likeliest texts in place of drawn ones
--candidates=FILE    writes none, but ranks the file's lines by how likely they follow
"""

import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from absl import flags

from launch import of_run, writing
from launch.flags import define, read, start
from launch.writing import Writer, Writing
from rnnlab.errors import InputError, shown
from rnnlab.nn.generation import Sampling
from rnnlab.options import flat

if TYPE_CHECKING:  # --help does without numpy
    import numpy as np

FLAGS = flags.FLAGS

of_run.define_workdir()
flags.DEFINE_string("prompt", None, "text to go on from; by default a line end")
flags.DEFINE_string("prompts", None, "a file with such a text in each line")
flags.DEFINE_integer("num_samples", 1, "texts to write", lower_bound=1)
flags.DEFINE_integer("beam", None, "texts kept in a search", lower_bound=1)
flags.DEFINE_float(
    "length_penalty",
    0.6,
    "how much --beam favours longer texts",
    lower_bound=0,
    upper_bound=10,
)
flags.DEFINE_string("candidates", None, "a file with a text to be scored in each line")

# What has nothing to do where another flag is given.
DRAWN = (*flat(Sampling()), "seed", "num_samples")
IDLE = {
    "beam": DRAWN,
    "candidates": (*DRAWN, "length", "until", "beam", "length_penalty", "prompts"),
    "prompts": ("prompt",),
}


def main() -> None:
    """Restores the model and writes to standard output."""
    check()
    settings = read(Writing)
    writer = writing.load(FLAGS.workdir)
    prompts = [
        writing.encoded(writer.tokenizer, text, name, settings.unknown)
        for name, text in given()
    ] or [writing.beginning(writer.tokenizer)]
    if FLAGS.candidates is not None:
        rank(writer, settings, prompts[0])
    elif FLAGS.beam is not None:
        search(writer, settings, prompts)
    else:
        sample(writer, settings, prompts)


def check() -> None:
    """Raises InputError for a flag that would do nothing."""
    for mode, idle in IDLE.items():
        for name in idle:
            if FLAGS[mode].present and FLAGS[name].present:
                raise InputError(
                    f"--{mode} must be given without --{name}, which would do nothing"
                    f" beside it, got both; leave one out."
                )
    if FLAGS["length_penalty"].present and FLAGS.beam is None:
        raise InputError(
            "--length_penalty must be given with --beam, got none; add --beam=4, say."
        )


def given() -> list[tuple[str, str]]:
    """Returns the prompts, none by default, and what an error calls them."""
    if FLAGS.prompts is not None:
        lines = writing.lines("prompts", FLAGS.prompts)
        return [(f"line {n} of --prompts", line) for n, line in enumerate(lines, 1)]
    return [] if FLAGS.prompt is None else [("--prompt", FLAGS.prompt)]


def sample(writer: Writer, settings: Writing, prompts: Sequence["np.ndarray"]) -> None:
    """Writes texts that are drawn: one as it comes, several when they are whole."""
    import jax
    import numpy as np

    from rnnlab.nn.generation import sample

    end = writing.token(writer.tokenizer, settings.until)
    rows = [prompt for prompt in prompts for _ in range(FLAGS.num_samples)]
    key, sampling = jax.random.key(settings.seed), settings.sampling
    steps = sample(writer.model, writer.params, rows, settings.length, key, sampling)
    if len(rows) == 1:
        write(writer, rows[0], writing.upto((int(step[0]) for step in steps), end))
        return
    columns = np.stack(list(steps), axis=1).tolist()
    for number, (row, column) in enumerate(zip(rows, columns, strict=True), start=1):
        print(f"--- sample {number}")
        write(writer, row, writing.upto(column, end))


def search(writer: Writer, settings: Writing, prompts: Sequence["np.ndarray"]) -> None:
    """Writes the likeliest texts, best first.

    Raises:
        InputError: the beam is wider than the vocabulary.
    """
    from rnnlab.nn.generation import search

    size = writer.tokenizer.size
    if FLAGS.beam > size:
        raise InputError(
            f"--beam must be at most {size}, the tokens of the vocabulary, got"
            f" {FLAGS.beam}; take a narrower one."
        )
    end = writing.token(writer.tokenizer, settings.until)
    for prompt in prompts:
        found = search(
            writer.model,
            writer.params,
            prompt,
            settings.length,
            FLAGS.beam,
            FLAGS.length_penalty,
            end,
        )
        for text in found:
            mean = text.nats / len(text.tokens)
            print(f"--- score {text.score:.4f}, {mean:.4f} nats a token")
            write(writer, prompt, text.tokens.tolist())


def rank(writer: Writer, settings: Writing, prompt: "np.ndarray") -> None:
    """Writes the candidates as a table, likeliest first."""
    import numpy as np

    from rnnlab.nn.generation import score

    lines = writing.lines("candidates", FLAGS.candidates)
    texts = [
        writing.encoded(
            writer.tokenizer, line, f"line {n} of --candidates", settings.unknown
        )
        for n, line in enumerate(lines, start=1)
    ]
    counts = np.array([len(text) for text in texts])
    means = score(writer.model, writer.params, prompt, texts) / counts
    print("nats/token  tokens  text")
    for index in np.argsort(means, kind="stable"):
        print(f"{means[index]:10.4f}  {counts[index]:6d}  {shown(lines[index])}")


def write(writer: Writer, prompt: "np.ndarray", ids: Iterable[int]) -> None:
    """Writes a prompt and the tokens that follow, as they come."""
    for piece in writer.tokenizer.stream(itertools.chain(prompt.tolist(), ids)):
        print(piece, end="", flush=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    define(Writing())
    start(main)
