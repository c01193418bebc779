"""Writes text with a trained language model: `python -m launch.sample --workdir=DIR`.

The checkpoint is all it needs: configuration and tokenizer are inside. Text appears
as it is drawn; with several samples, they are written one after the other.
"""

import itertools

from absl import flags

from launch.flags import define, read, start
from rnnlab.errors import InputError
from rnnlab.nn.sampling import Sampling

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "workdir", None, "folder of a finished or stopped run", required=True
)
flags.DEFINE_string("prompt", None, "text to go on from; by default a line end")
flags.DEFINE_integer("length", 400, "tokens to write", lower_bound=1)
flags.DEFINE_integer("num_samples", 1, "texts to write", lower_bound=1)
flags.DEFINE_integer("seed", 0, "of the draws", lower_bound=0, upper_bound=2**32 - 1)


def main() -> None:
    """Restores the model and writes to standard output."""
    import jax
    import numpy as np

    from launch import trained
    from rnnlab.data import tokenizers
    from rnnlab.nn.sampling import sample

    sampling = read(Sampling)
    record, task, state = trained.restore(FLAGS.workdir)
    tokenizer = tokenizers.from_json(record.data["tokenizer"])
    given = "\n" if FLAGS.prompt is None else FLAGS.prompt
    unknown = tokenizer.unknown(given)
    if unknown:
        raise InputError(
            f"--prompt must be made of tokens the model knows, but it has never seen"
            f" {', '.join(map(repr, unknown))}; leave these out."
        )
    ids = np.asarray(tokenizer.encode(given))
    if len(ids) == 0:
        raise InputError("--prompt must hold at least one token, got an empty one.")
    prompt = np.repeat(ids[:, None], FLAGS.num_samples, axis=1)
    key = jax.random.key(FLAGS.seed)
    steps = sample(task.model, state.params, prompt, FLAGS.length, key, sampling)
    if FLAGS.num_samples == 1:
        columns = [(int(row[0]) for row in steps)]  # each token as it is drawn
    else:
        columns = np.stack(list(steps), axis=1).tolist()
    for number, column in enumerate(columns, start=1):
        if FLAGS.num_samples > 1:
            print(f"--- sample {number}")
        for piece in tokenizer.stream(itertools.chain(ids.tolist(), column)):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    define(Sampling())
    start(main)
