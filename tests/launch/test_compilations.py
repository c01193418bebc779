"""Programs are kept in a folder of this user's, or not at all."""

import subprocess
import sys
from pathlib import Path

import jax
import pytest

from launch import compilations
from rnnlab.training import numerics


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Returns a function: where programs are kept, None for nowhere."""
    before = jax.config.jax_compilation_cache_dir
    most = jax.config.jax_compilation_cache_max_size
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def kept():
        jax.config.update("jax_compilation_cache_dir", None)
        compilations.keep()
        return jax.config.jax_compilation_cache_dir

    yield kept
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_compilation_cache_max_size", most)


def test_a_folder_for_this_user_alone(kept, tmp_path):
    folder = kept()
    assert Path(folder).parent == tmp_path / "rnnlab" / "xla"
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert kept() == folder


def test_no_folder_that_others_may_write_to(kept):
    Path(kept()).chmod(0o777)
    assert kept() is None


def test_a_processor_of_another_kind_has_another(kept, monkeypatch):
    one = kept()
    monkeypatch.setattr(numerics, "processor", lambda: "another (R)/../kind")
    assert kept() != one and Path(kept()).parent == Path(one).parent


def test_no_folder_without_a_home(kept, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert kept() is None


def test_old_programs_make_room(kept, monkeypatch):
    monkeypatch.setattr(compilations, "MOST", 100)
    folder = kept()
    code = f"""
import jax
for name, value in (
    ("jax_compilation_cache_dir", {folder!r}),
    ("jax_compilation_cache_max_size", 20_000),
    ("jax_persistent_cache_min_compile_time_secs", 0),
):
    jax.config.update(name, value)
for n in range(9):
    jax.jit(lambda x: x * n + 1)(1.0)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    sizes = [file.stat().st_size for file in Path(folder).iterdir()]
    assert 0 < sum(sizes) <= 20_000
    assert jax.config.jax_compilation_cache_max_size == 100


def test_no_folder_where_none_can_be_made(kept, tmp_path):
    (tmp_path / "rnnlab").write_text("a file")
    assert kept() is None


def test_another_folder_by_name(kept, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert kept() is None  # JAX has read the name itself
