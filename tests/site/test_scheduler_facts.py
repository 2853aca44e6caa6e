"""Readers of what batch systems say of themselves, on recorded answers and on garbage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borarun.site.scheduler_facts import (
    Nodes,
    pbs_flavour,
    pbs_nodes,
    pbs_records,
    slurm_nodes,
    slurm_time,
)

DATA = Path(__file__).parent / "data" / "schedulers"

ALPHABET = st.text(st.sampled_from("ab|:=-+*(),.0123456789 \n\tgpuQueServr"))


def said(name: str) -> str:
    return (DATA / name).read_text()


def test_partitions_of_a_small_slurm() -> None:
    assert slurm_nodes(said("sinfo.txt")) == (
        Nodes("main", 3, 4, 4.0, limit_s=3600.0, default=True),
        Nodes("debug", 3, 4, 4.0, limit_s=300.0),
    )


def test_partitions_of_many_kinds() -> None:
    """Threads of one core count once, nodes of two sizes count as the smaller, and a partition that
    is down is left out.
    """
    assert slurm_nodes(said("sinfo_kinds.txt")) == (
        Nodes("standard", 104, 128, 256.0, limit_s=172800.0, default=True),
        Nodes("long", 20, 128, 256.0),
        Nodes("debug", 4, 128, 256.0, limit_s=1800.0),
        Nodes("gpu", 8, 64, 512.0, 4, 86400.0),
        Nodes("gpu", 2, 32, 192.0, 2, 86400.0),
    )


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ("(null)", 0),
        ("gpu:4", 4),
        ("gpu:a100:4", 4),
        ("gpu:a100:4(S:0-1),craynetwork:4", 4),
        ("gpu:a100_40:2,gpu:a100_80:2", 4),
        ("gpu:mi250:8(S:0,1,2,3)", 8),
        ("craynetwork:4,ssd:1", 0),
    ],
)
def test_gpus_among_generic_resources(resources: str, gpus: int) -> None:
    (nodes,) = slurm_nodes(f"p|up|infinite|2|64|1|64|1|{resources}\n")
    assert nodes == Nodes("p", 2, 64, None, gpus)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("5:30", 330),
        ("12:00:00", 43200),
        ("1-00:00:00", 86400),
        ("2-12", 216000),
        ("1-02:30", 95400),
        ("infinite", None),
        ("n/a", None),
        ("", None),
        ("1:2:3:4", None),
    ],
)
def test_times_of_slurm(text: str, seconds: float | None) -> None:
    assert slurm_time(text) == seconds


def test_queues_of_pbs() -> None:
    """Queues that are off, or that only other queues feed, are left out; a node that names its
    queues is of those alone.
    """
    assert pbs_nodes(
        said("pbs_qstat_Q.txt"), said("pbs_pbsnodes.txt"), said("pbs_qstat_B.txt")
    ) == (
        Nodes("workq", 2, 48, 196.0, limit_s=172800.0, default=True),
        Nodes("prod", 2, 48, 196.0, limit_s=86400.0),
        Nodes("gpuq", 1, 32, 503.0, 4, 86400.0),
    )
    assert pbs_flavour(said("pbs_pbsnodes.txt")) == "pbspro"


def test_queues_of_torque() -> None:
    nodes = said("slurm_torque_pbsnodes.txt")
    assert pbs_nodes(said("slurm_torque_qstat_Q.txt"), nodes) == (
        Nodes("main", 3, 4, 4.0),
        Nodes("debug", 3, 4, 4.0),
    )
    assert pbs_flavour(nodes) == "torque"


def test_folded_lines_are_joined() -> None:
    records = pbs_records(said("pbs_qstat_Q.txt"))
    assert (
        records["prod"]["route_destinations"]
        == "small,medium,large,backfill_small,backfill_medium,backfill_large"
    )
    assert records["gpuq"]["acl_groups"] == "chemistry,physics"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "slurm_load_partitions: Unable to contact slurm controller",
        "a|b|c\n",
        "p|up|x|y|z|a|b|c|d\n",
        "|||||||||\n" * 3,
    ],
)
def test_what_is_no_answer_gives_nothing(text: str) -> None:
    assert slurm_nodes(text) == ()
    assert pbs_nodes(text, text, text) == ()


@given(ALPHABET, ALPHABET, ALPHABET)
def test_no_text_is_an_error(queues: str, nodes: str, server: str) -> None:
    slurm_nodes(queues)
    slurm_time(queues)
    pbs_flavour(nodes)
    assert all(
        each.cores > 0 and each.count > 0
        for each in (*pbs_nodes(queues, nodes, server), *slurm_nodes(queues))
    )
