import pytest

from tests.fuzz.harness import fuzz
from tests.fuzz.readers import READERS

QUICK = 60


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_give_data_or_a_clear_error(name: str) -> None:
    outcome = fuzz(name, start=0, count=max(3, QUICK // READERS[name].cost))
    assert not outcome.defects
    assert outcome.counts["clean"]


@pytest.mark.parametrize("name", READERS)
def test_what_mutation_begins_with_is_valid(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for number, files in enumerate(READERS[name].seeds()):
        for file, content in files.items():
            path = tmp_path / str(number) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        READERS[name].read(tmp_path / str(number))
