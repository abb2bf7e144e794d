import contextlib
import gzip
import os
import pickle
import pickletools
import resource
import time
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import UserError
from signgen.io.safe_pickle import load_pickle

DATA = {
    "floats": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    "transposed": np.arange(6).reshape(2, 3).T,
    "big-endian": np.arange(3, dtype=">i4"),
    "empty": np.zeros((0, 3)),
    "scalar": np.float32(3),
    "tensor": torch.arange(6.0).reshape(2, 3).t(),
    "half": torch.ones(2, dtype=torch.float16),
    "plain": [b"xy", b"", {1, 2}, frozenset("a"), 1 + 2j, bytearray(b"12"), None, True, 1 << 100],
    "ordered": OrderedDict(a=1),
}


@pytest.mark.parametrize("protocol", range(6))
def test_data_come_back_as_they_were(protocol):
    loaded = load_pickle(pickle.dumps(DATA, protocol), "file")
    for key in ("floats", "transposed", "big-endian", "empty", "scalar"):
        assert np.array_equal(loaded[key], DATA[key])
    for key in ("tensor", "half"):
        assert torch.equal(loaded[key], DATA[key])
    assert loaded["plain"] == DATA["plain"]
    assert loaded["ordered"] == DATA["ordered"]


class Reduced:
    """Pickles as a call of whatever it is made with."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def _sentinel_commands(path):
    command = f"touch {path}"
    return {
        "os.system": Reduced(os.system, (command,)),
        "eval": Reduced(eval, (f"__import__('os').system({command!r})",)),
        "in a list": [1, {"name": Reduced(os.system, (command,))}],
        "in an object array": np.array([Reduced(os.system, (command,))], dtype=object),
        "getattr": Reduced(getattr, ("", "join")),
        "a class": Reduced,
        "torch.load": Reduced(torch.load, (str(path),)),
        "numpy.load": Reduced(np.load, (str(path),)),
        "numpy.fromfile": Reduced(np.fromfile, ("/etc/hostname",)),
    }


@pytest.mark.parametrize("attack", _sentinel_commands("x"))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickles_are_refused_and_run_nothing(tmp_path, attack, protocol):
    sentinel = tmp_path / "ran"
    try:
        hostile = pickle.dumps(_sentinel_commands(sentinel)[attack], protocol)
    except pickle.PicklingError:
        pytest.skip("this protocol cannot write it")
    with pytest.raises(UserError, match=r"^file: (refused: it|broken)"):
        load_pickle(hostile, "file")
    assert not sentinel.exists()


def test_a_hostile_pickle_inside_a_tensors_storage_is_refused(tmp_path):
    sentinel = tmp_path / "ran"
    inner = pickle.dumps(Reduced(os.system, (f"touch {sentinel}",)), 2)
    outer = Reduced(torch.storage._load_from_bytes, (inner,))
    with pytest.raises(UserError, match=r"^file: refused: a storage asks for (posix|nt)\.system"):
        load_pickle(pickle.dumps(outer), "file")
    assert not sentinel.exists()


def test_the_reason_names_what_was_asked_for():
    with pytest.raises(UserError, match=r"refused: it asks for (posix|nt)\.system"):
        load_pickle(pickle.dumps(os.system), "file")
    with pytest.raises(UserError, match="refused: it holds an array of O8; only numbers are read"):
        load_pickle(pickle.dumps(np.array([None])), "file")


def _tensor(shape, stride):
    storage = torch.zeros(1).storage()
    return Reduced(torch._utils._rebuild_tensor_v2, (storage, 0, shape, stride, False, OrderedDict()))


def _lists_of_lists(levels):
    """Each list holds the one before it twice."""
    levels = (
        b"0](h" + bytes([level - 1]) + b"h" + bytes([level - 1]) + b"eq" + bytes([level]) for level in range(1, levels)
    )
    return b"\x80\x02](K\x01K\x01eq\x00" + b"".join(levels) + b"."


COPIED = b"\x80\x02X\x40\x42\x0f\x00" + bytes([65]) * 1_000_000 + b"q\x000"
LITTLE_THAT_ASKS_FOR_MUCH = {
    "bytearray(2**31 - 1)": b"\x80\x02cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.",
    "BYTEARRAY8 of 5 GB": b"\x80\x05\x96" + (5 * 10**9).to_bytes(8, "little") + b"abc.",
    "the C unpickler's memo of 34 GB": b"\x80\x02]r\xff\xff\xff\x7f.",
    "ndarray(2**31 - 1)": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.",
    "a type of 8 GB": b"\x80\x02cnumpy\ndtype\nX\x0f\x00\x00\x00(1000000000,)f8\x85R.",
    "a tensor that repeats one number": pickle.dumps(_tensor((10**6, 133, 3), (0, 0, 0))),
    "lists of lists of lists": _lists_of_lists(40),
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a deep list": b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
    "a deep tuple for a key": b"\x80\x02}N" + b"\x85" * 10**5 + b"Ns.",
    "a set of what is hashed alike": pickle.dumps({n * (2**61 - 1) for n in range(1000)}),
    "a text, encoded again and again": COPIED + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * 1000 + b".",
    "a tensor's storage in one in one": pickle.dumps(
        Reduced(torch.storage._load_from_bytes, (pickle.dumps(Reduced(torch.storage._load_from_bytes, (b"",)), 2),))
    ),
    "instructions without end": b"\x80\x02N" + b"2" * 2_500_000 + b".",
    "a number of a million digits": b"\x80\x02\x8b" + (10**6).to_bytes(4, "little") + b"\x7f" * 10**6 + b".",
}


@pytest.mark.parametrize("kind", LITTLE_THAT_ASKS_FOR_MUCH)
def test_small_files_take_little_memory_and_time(kind):
    content = LITTLE_THAT_ASKS_FOR_MUCH[kind]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with contextlib.suppress(UserError):
        load_pickle(content, "file")
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


@pytest.mark.parametrize("target", [b"c_codecs\nencode\n", b"ccollections\nOrderedDict\n", b"cnumpy\nndarray\n"])
def test_a_pickle_changes_no_function_and_no_class(target):
    with pytest.raises(UserError, match="refused: it changes a"):
        load_pickle(b"\x80\x04" + target + b"N}\x8c\x0c__defaults__Ns\x86b.", "file")


def test_an_array_whose_bytes_do_not_match_its_shape_is_broken():
    content = pickle.dumps(np.zeros(7, np.uint8), 2)
    assert content.count(b"K\x07") == 1
    with pytest.raises(UserError, match="broken pickle"):
        load_pickle(content.replace(b"K\x07", b"K\x70"), "file")


def test_a_tensor_beyond_its_storage_is_broken():
    content = pickle.dumps(torch.zeros(7), 2)
    shape = [position for opcode, value, position in pickletools.genops(content) if value == 7][-1]
    with pytest.raises(UserError, match="broken pickle"):
        load_pickle(content[:shape] + b"K\x70" + content[shape + 2 :], "file")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", b"\x80\x04", b"(dp0\n"]))
def test_any_bytes_give_data_or_a_user_error(content, start):
    try:
        load_pickle(start + content, "file")
    except UserError as error:
        assert "\n" not in str(error)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_pickles_give_data_or_a_user_error(data):
    content = bytearray(pickle.dumps({key: DATA[key] for key in ("floats", "plain", "scalar")}, 4))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    try:
        load_pickle(bytes(content[: data.draw(st.integers(0, len(content)))]), "file")
    except UserError as error:
        assert "\n" not in str(error)


def test_the_fields_label_file_is_read(shared):
    content = gzip.decompress((shared / "real/phoenix14t-labels/phoenix-2014t.test").read_bytes())
    labels = load_pickle(content, "labels")
    assert len(labels) == 642
    assert sum(label["num_frames"] for label in labels) == 64627
