"""Export on a cluster of two nodes, one of which dies in the middle."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from signgen.errors import UserError
from signgen.export import ExportSettings, export_corpus

ray = pytest.importorskip("ray", reason="Ray is not installed")


def test_no_cluster_is_one_line() -> None:
    from signgen.export.ray_cluster import ray_workers

    with pytest.raises(UserError, match=r"no cluster there"):
        ray_workers("127.0.0.1:1")


@pytest.mark.slow
def test_a_node_killed_in_the_middle(settings: ExportSettings, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    from signgen.export.ray_cluster import ray_workers

    settings.signers.per_clip = 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as each worker has, so that rounding is the same
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        settings.output = str(tmp_path / "one")
        export_corpus(settings)
        expected = Path(settings.output, "manifest.jsonl").read_text()
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        names: list[str] = []

        def killing(clips: Iterable[Any], total: int, what: str) -> Iterable[Any]:
            for name in clips:
                names.append(name)
                if len(names) == 5:
                    cluster.remove_node(second, allow_graceful=False)
                yield name

        settings.output = str(tmp_path / "cluster")
        export_corpus(settings, killing, ray_workers(cluster.address))
        until = time.monotonic() + 60  # it takes the cluster some seconds to miss a node
        while sum(node["Alive"] for node in ray.nodes()) == 2 and time.monotonic() < until:
            time.sleep(1)
        assert sum(node["Alive"] for node in ray.nodes()) == 1
    finally:
        torch.set_num_threads(threads)
        ray.shutdown()
        cluster.shutdown()
    rows = [json.loads(line) for line in expected.splitlines()]
    assert len(rows) == len(names) == len(set(names)) == 16
    assert Path(settings.output, "manifest.jsonl").read_text() == expected
