"""A state restores bit for bit on another number of devices."""

import itertools

SOME = ((8, 1), (1, 8), (4, 16))


def devices(count):
    return {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}


def test_from_and_to_other_numbers_of_devices(server, tmp_path, many, counted):
    pairs = many(SOME, [*itertools.permutations((1, 2, 4, 8, 16), 2)])
    saved = {}
    for count in dict.fromkeys(before for before, _ in pairs):
        folder = tmp_path / str(count)
        ended = server.fork(
            "tests.faults.topologies", "save", folder, env=devices(count)
        ).wait()
        assert ended.code == 0, ended.err
        saved[count] = ended.out
    assert len({*saved.values()}) == 1
    for before, after in pairs:
        env = devices(after)
        ended = server.fork(
            "tests.faults.topologies", "restore", tmp_path / str(before), env=env
        ).wait()
        assert ended.out == saved[before], ended.err
    counted("pairs of topologies", len(pairs))


def test_another_number_of_devices_is_told(server, flags, tmp_path):
    """The run goes on, and the warning says what may have changed its bits."""
    flags = flags | {"override": True}
    assert server.run("run", workdir=tmp_path, **flags).code == 0
    longer = flags | {"steps": 44, "resume": True}
    ended = server.run("run", workdir=tmp_path, env=devices(2), **longer)
    assert ended.code == 0, ended.err
    assert "warning: the resumed run is not, bit for bit," in ended.err
    assert "devices: 1 -> 2" in ended.err
