from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.evaluation.tables import table_with_ours


def test_our_rows_follow_the_published_ones(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("method,ssim,fid,source\nThem,0.5,,a paper\nOthers,0.25\n")
    text = table_with_ours(path, {"ours": {"fid": 12.3456, "psnr": 3.0}, "worse": {"ssim": float("nan")}})
    assert [line.split() for line in text.splitlines()] == [
        ["method", "ssim", "fid"],
        ["Them", "0.5", "-"],
        ["Others", "0.25", "-"],
        ["ours", "-", "12.35"],
        ["worse", "-", "-"],
    ]
    with pytest.raises(UserError, match="cannot read this table"):
        table_with_ours(tmp_path / "none.csv", {})
