"""A trained model without this code: `python -m launch.export --workdir=DIR --out=NEW`.

The folder NEW gets the model's step as `jax.export` keeps it, for CPU, CUDA and TPU,
its parameters, its tokenizer, and `model.py`, which runs them with JAX and NumPy alone.
"""

import io
import shutil
from pathlib import Path

from absl import flags

from launch import of_run
from launch.flags import start

FLAGS = flags.FLAGS

of_run.define_workdir()
flags.DEFINE_string("out", None, "new folder to write", required=True)


def main() -> None:
    """Restores the model and writes the folder, whole or not at all."""
    import numpy as np

    from launch import standalone, trained
    from rnnlab import files
    from rnnlab.errors import InputError
    from rnnlab.nn import exported

    out = Path(FLAGS.out).expanduser()
    if out.exists():
        raise InputError(f"--out must be a new folder, got {out}; name another.")
    record, task, state = trained.restore(FLAGS.workdir)
    try:
        step = exported.step(task.model, state.params)
    except ImportError as error:
        raise InputError(
            f"launch.export needs flatbuffers ({error}); install rnnlab[export]."
        ) from error

    def packed(arrays):
        buffer = io.BytesIO()
        np.savez(buffer, **{name: np.asarray(x) for name, x in arrays.items()})
        return buffer.getvalue()

    begun = out.with_name(f"{out.name}.part")
    try:
        begun.mkdir(parents=True)
    except OSError as error:
        raise files.storage_error(begun, error) from error
    try:
        carries = {str(k): carry for k, carry in enumerate(step.carries)}
        files.write_atomic(begun / "program.bin", step.program)
        files.write_atomic(begun / "params.npz", packed(step.params))
        files.write_atomic(begun / "carries.npz", packed(carries))
        files.write_json(begun / "tokenizer.json", record.data["tokenizer"])
        source = Path(standalone.__file__).read_text()
        files.write_atomic(begun / "model.py", source)
        begun.rename(out)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f'{out}: {size / 2**20:.1f} MB; python {out / "model.py"} "a prompt"')


if __name__ == "__main__":
    start(main)
