"""Text from a trained model: `launch.sample` in its modes, `launch.complete`."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from launch import writing
from rnnlab.data.tokenizers import Byte, Char, Word
from rnnlab.errors import InputError

ROOT = Path(__file__).parents[2]
PIPES = {"stdin": -1, "stdout": -1, "stderr": -1, "text": True, "cwd": ROOT}
CHAR, WORD = Char("\n abc"), Word(("<eos>", "a", "b"))


def start(name, *flags):
    return subprocess.Popen([sys.executable, "-m", f"launch.{name}", *flags], **PIPES)


@pytest.fixture(scope="module")
def trained(run, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    small = ["--features=16", "--batch_size=4", "--length=20", "--steps=40"]
    cache = f"--cache_dir={corpus.parent / 'cache'}"
    code, _, err = run("run", f"--data={corpus}", cache, *small, f"--workdir={folder}")
    assert code == 0, err
    return f"--workdir={folder}"


def test_lines_completed_as_they_come_are_those_written_side_by_side(
    run, trained, tmp_path
):
    prompts, file = ["12 bottles of", "7", "on the w"], tmp_path / "prompts.txt"
    file.write_text("\n".join(prompts) + "\n")
    flags = [trained, "--temperature=0", "--length=40"]
    code, out, err = run("sample", *flags, f"--prompts={file}")
    assert code == 0, err
    wanted = re.split(r"--- sample \d\n", out)[1:]
    typed = [prompts[0], ":temprature 1", "Ж", "", prompts[1], ":top_p 2"]
    typed += [":temperature 1", ":temperature 0", prompts[2], ":quit", "never"]
    with start("complete", *flags) as process:
        out, err = process.communicate("\n".join(typed), timeout=240)
        assert process.returncode == 0
    assert out == "".join(
        text.removeprefix(prompt) for text, prompt in zip(wanted, prompts, strict=True)
    )
    words = ["did you mean temperature", "'Ж'", "at least one token", "--top_p must"]
    for line, word in zip(err.splitlines(), words, strict=True):
        assert line.startswith("error: ") and word in line


def test_an_interrupt_stops_the_text_and_at_the_prompt_the_command(trained):
    with start("complete", trained, f"--length={10**9}") as process:
        process.stdin.write("9 bottles\n")
        process.stdin.flush()
        assert len(process.stdout.read(100)) == 100
        os.kill(process.pid, signal.SIGINT)
        process.stdin.write(":length 5\n:settings\n")
        process.stdin.flush()
        while process.stdout.readline() != ":unknown refuse\n":
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT  # 130 in a shell


def test_an_interrupt_at_a_terminal_does_the_same(trained):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "launch.complete", trained, f"--length={10**9}"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, cwd=ROOT) as process:
        os.close(theirs)
        seen = ""

        def until(wanted):
            nonlocal seen
            while wanted not in seen:
                seen += os.read(ours, 4096).decode()
            seen = seen.partition(wanted)[2]

        until("> ")
        os.write(ours, b"9 bottles\n")
        until("9 bottles")
        while len(seen) < 100:
            seen += os.read(ours, 4096).decode()
        os.kill(process.pid, signal.SIGINT)
        until("> ")
        os.write(ours, b":settings\n")
        until(":unknown refuse")
        until("> ")
        while process.poll() is None:  # one that comes just before the read waits
            os.kill(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
        assert process.returncode == 130
    os.close(ours)


@pytest.mark.parametrize(
    ("tokenizer", "wanted"),
    [(CHAR, 0), (Char("ab", False), 0), (WORD, 0), (Word(("a", "<eos>")), 1)],
)
def test_a_text_begins_with_a_line_end_where_there_is_one(tokenizer, wanted):
    assert writing.beginning(tokenizer).tolist() == [wanted]


def test_a_beam_writes_texts_best_first_up_to_the_end(run, trained):
    flags = ["--prompt=5 bottles of", "--beam=3", "--length=30", "--until=s"]
    code, out, err = run("sample", trained, *flags)
    assert code == 0, err
    scores = [float(score) for score in re.findall(r"--- score (\S+),", out)]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    texts = re.split(r"--- score .*\n", out)[1:]
    assert len({*texts}) == 3
    for text in texts:
        more = text.removeprefix("5 bottles of").removesuffix("\n")
        assert "s" not in more[:-1] and (more[-1] == "s" or len(more) == 30)
    code, out, err = run("sample", trained, "--beam=1000")
    assert code == 2 and "--beam must be at most" in err and "got 1000" in err


def test_candidates_are_ranked_by_what_a_token_costs(run, trained, tmp_path):
    file = tmp_path / "candidates.txt"
    file.write_text("bottles of beer\nllllll\nbottles of beer on the wall\n")
    flags = [trained, "--prompt=12 "]
    code, out, err = run("sample", *flags, f"--candidates={file}")
    assert code == 0, err
    head, *rows = (line.split(maxsplit=2) for line in out.splitlines())
    assert head == ["nats/token", "tokens", "text"]
    assert [float(row[0]) for row in rows] == sorted(float(row[0]) for row in rows)
    assert {text: int(count) for _, count, text in rows} == {
        text: len(text) for text in file.read_text().splitlines()
    }
    assert rows[-1][2] == "llllll"
    file.write_text("bottles\n\nbeer\n")
    code, out, err = run("sample", *flags, f"--candidates={file}")
    assert code == 2 and not out and "line 2 of --candidates" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--beam=2", "--temperature=0.5"], "--beam must be given without --temperat"),
        (["--length_penalty=1"], "--length_penalty must be given with --beam"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(run, flags, words):
    code, out, err = run("sample", "--workdir=nowhere", *flags)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("tokenizer", "text", "unknown", "wanted"),
    [
        (CHAR, "ab c", "refuse", [2, 3, 1, 4]),
        (CHAR.with_unknown(), "axb", "map", [2, 5, 3]),
        (WORD, "b a\n", "map", [2, 1, 0]),
        (WORD.with_unknown(), "b x y", "map", [2, 3, 3]),
        (Byte(), "é", "refuse", [0xC3, 0xA9]),
    ],
)
def test_a_prompt_is_the_tokens_of_its_text(tokenizer, text, unknown, wanted):
    ids = writing.encoded(tokenizer, text, "--prompt", unknown)
    np.testing.assert_array_equal(ids, wanted)


@pytest.mark.parametrize(
    ("tokenizer", "text", "unknown", "words"),
    [
        (CHAR, "axy", "refuse", "'x', 'y'; leave these out."),
        (CHAR, "ax", "map", "'x'; leave these out."),
        (CHAR.with_unknown(), "ax", "refuse", "leave these out, or pass --unknown=map"),
        (WORD, "a dog", "refuse", "'dog'; leave"),
        (WORD, " ", "refuse", "--prompt must hold at least one token"),
        (Byte(), "", "map", "--prompt must hold at least one token"),
        (CHAR, "".join(map(chr, range(200, 300))), "refuse", "'Ñ', ...; leave"),
    ],
)
def test_a_prompt_that_the_model_cannot_read_is_refused(
    tokenizer, text, unknown, words
):
    with pytest.raises(InputError) as error:
        writing.encoded(tokenizer, text, "--prompt", unknown)
    assert words in str(error.value)


def test_a_text_ends_with_the_token_that_ends_it():
    assert list(writing.upto([3, 1, 2, 1], 1)) == [3, 1]
    assert list(writing.upto([3, 1], None)) == [3, 1]
    assert writing.token(WORD, "\n") == 0 and writing.token(WORD, None) is None
    with pytest.raises(InputError, match="--until must be one token, got 2 in 'ab'"):
        writing.token(CHAR, "ab")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xff\n", "UTF-8")],
)
def test_a_file_without_lines_is_refused(tmp_path, content, words):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        writing.lines("prompts", str(file))
    assert "--prompts must name" in str(error.value)


def test_lines_end_as_on_any_system(tmp_path):
    file = tmp_path / "file"
    file.write_bytes("a é\r\nb\n\nc".encode())
    assert writing.lines("prompts", str(file)) == ["a é", "b", "", "c"]
