"""CPU quotas of control groups, read from trees of files as the kernel shows them, and the workers that follow."""

import os
from pathlib import Path

import pytest
from frostgate_server.process.cpu_quota import count_cores, read_cpu_quota
from support.server_process import ServerProcess

OTHER_MOUNTS = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw - proc proc rw\n"


class Tree:
    """The files of a process and of its control groups."""

    def __init__(self, directory: Path) -> None:
        self.root, self.proc = directory, directory / "proc" / "self"
        self.proc.mkdir(parents=True)
        self.write("proc/self/mountinfo", OTHER_MOUNTS)

    def write(self, name: str, text: str | bytes) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def mount(self, line: str) -> None:
        with (self.proc / "mountinfo").open("a") as file:
            file.write(f"{line}\n")

    def quota(self) -> int | None:
        return read_cpu_quota(self.proc, self.root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def version_2(tree: Tree) -> Tree:
    """A process in the group /a/b of version 2."""
    tree.write("proc/self/cgroup", "0::/a/b\n")
    tree.mount("30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate")
    return tree


@pytest.fixture
def version_1(tree: Tree) -> Tree:
    """A process in the group /a/b of version 1, beside hierarchies for other things."""
    tree.write("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/a/b\n3:cpuset:/\n1:name=systemd:/s\n0::/u\n")
    tree.mount("31 22 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory")
    tree.mount("32 22 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct")
    tree.mount("33 22 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw")
    return tree


def write_quota_1(tree: Tree, directory: str, quota: str, period: str = "100000") -> None:
    tree.write(f"{directory}/cpu.cfs_quota_us", f"{quota}\n")
    tree.write(f"{directory}/cpu.cfs_period_us", f"{period}\n")


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("50000 100000", 0), ("150000 100000", 1), ("200000 100000", 2), ("60000 20000", 3), ("max 100000", None)],
)
def test_the_quota_of_the_own_group_counts_in_version_2(version_2: Tree, limit: str, cores: int | None) -> None:
    version_2.write("sys/fs/cgroup/a/b/cpu.max", f"{limit}\n")
    assert version_2.quota() == cores


@pytest.mark.parametrize("place", ["", "a/", "a/b/"])
def test_the_smallest_quota_on_the_way_up_counts_in_version_2(version_2: Tree, place: str) -> None:
    for group in ("", "a/", "a/b/"):
        version_2.write(f"sys/fs/cgroup/{group}cpu.max", "400000 100000\n")
    version_2.write(f"sys/fs/cgroup/{place}cpu.max", "100000 100000\n")
    version_2.write("sys/fs/cgroup/a/b/below/cpu.max", "1000 100000\n")
    version_2.write("sys/fs/cgroup/other/cpu.max", "1000 100000\n")
    assert version_2.quota() == 1


@pytest.mark.parametrize("place", ["", "/a", "/a/b"])
def test_the_smallest_quota_on_the_way_up_counts_in_version_1(version_1: Tree, place: str) -> None:
    for group in ("", "/a", "/a/b"):
        write_quota_1(version_1, f"sys/fs/cgroup/cpu,cpuacct{group}", "-1")
    write_quota_1(version_1, f"sys/fs/cgroup/cpu,cpuacct{place}", "50000")
    write_quota_1(version_1, "sys/fs/cgroup/cpu,cpuacct/other", "1000")
    assert version_1.quota() == 0


def test_no_quota_is_none(version_1: Tree) -> None:
    write_quota_1(version_1, "sys/fs/cgroup/cpu,cpuacct/a/b", "-1")
    assert version_1.quota() is None


def test_with_both_versions_mounted_the_smaller_quota_counts(version_1: Tree) -> None:
    write_quota_1(version_1, "sys/fs/cgroup/cpu,cpuacct/a/b", "300000")
    version_1.write("sys/fs/cgroup/unified/u/cpu.max", "200000 100000")
    assert version_1.quota() == 2


def test_a_hierarchy_may_be_mounted_anywhere(tree: Tree) -> None:
    tree.write("proc/self/cgroup", "7:cpuacct,cpu:/x:y\n0::/\n")
    tree.mount(r"40 22 0:31 / /mnt/control\040groups\134cpu rw - cgroup none rw,cpuacct,cpu")
    write_quota_1(tree, "mnt/control groups\\cpu/x:y", "100000", "50000")
    assert tree.quota() == 2


def test_a_container_sees_its_own_group_as_the_mounted_one(tree: Tree) -> None:
    """Of version 1, without a name space for control groups."""
    tree.write("proc/self/cgroup", "2:cpu:/kubepods/pod1/c1\n")
    tree.mount("41 22 0:32 /kubepods/pod1/c1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu")
    write_quota_1(tree, "sys/fs/cgroup/cpu", "250000")
    assert tree.quota() == 2


@pytest.mark.parametrize(
    ("group", "mounted"), [("/", "/docker/c1"), ("/docker/c1", "/docker/c2"), ("/../c2", "/"), ("/", "/..")]
)
def test_a_group_that_is_not_below_the_mounted_one_has_the_quota_of_that(tree: Tree, group: str, mounted: str) -> None:
    tree.write("proc/self/cgroup", f"0::{group}\n")
    tree.mount(f"42 22 0:33 {mounted} /sys/fs/cgroup ro - cgroup2 cgroup rw")
    tree.write("sys/fs/cgroup/cpu.max", "100000 100000")
    tree.write("sys/fs/c2/cpu.max", "900000 100000")
    assert tree.quota() == 1


@pytest.mark.parametrize(
    "odd",
    ["", "\n", "100000", "half 100000", "100000 0", "-5 100000", "0 100000", "1 2 3", "1.5 1", b"\xff\xfe", "9" * 5000],
)
def test_an_odd_quota_is_passed_over(version_2: Tree, odd: str | bytes) -> None:
    version_2.write("sys/fs/cgroup/a/b/cpu.max", odd)
    version_2.write("sys/fs/cgroup/a/cpu.max", "300000 100000")
    assert version_2.quota() == 3


def test_a_quota_beyond_all_measure_is_no_error(version_2: Tree) -> None:
    version_2.write("sys/fs/cgroup/a/b/cpu.max", f"{'9' * 4000} 1")
    assert count_cores(version_2.proc, version_2.root) == len(os.sched_getaffinity(0))


def test_an_odd_quota_of_version_1_is_passed_over(version_1: Tree) -> None:
    version_1.write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "100000")
    write_quota_1(version_1, "sys/fs/cgroup/cpu,cpuacct/a", "100000", "")
    write_quota_1(version_1, "sys/fs/cgroup/cpu,cpuacct", "200000")
    assert version_1.quota() == 2


def test_an_odd_quota_is_named_in_the_log(version_2: Tree, caplog: pytest.LogCaptureFixture) -> None:
    version_2.write("sys/fs/cgroup/a/b/cpu.max", "half\n100000")
    assert version_2.quota() is None
    file = version_2.root / "sys/fs/cgroup/a/b/cpu.max"
    assert caplog.messages == [f"{file} is ignored: its CPU quota is invalid: 'half\\n100000'"]


@pytest.mark.parametrize("lines", ["", "\n", "nonsense", "0:", "30 22 0:26 / - cgroup2", " - cgroup2 x rw", "\0"])
def test_odd_files_of_the_process_are_no_error(tree: Tree, lines: str) -> None:
    tree.write("proc/self/cgroup", lines)
    tree.write("proc/self/mountinfo", lines)
    assert tree.quota() is None


def test_a_process_without_such_files_has_no_quota(tmp_path: Path) -> None:
    assert read_cpu_quota(tmp_path / "proc", tmp_path) is None


@pytest.mark.parametrize(("granted", "cores"), [(1, 1), (99_999, 1), (100_000, 1), (10**9, None)])
def test_cores_are_at_least_one_and_at_most_those_of_the_affinity(
    version_2: Tree, granted: int, cores: int | None
) -> None:
    version_2.write("sys/fs/cgroup/a/b/cpu.max", f"{granted} 100000")
    assert count_cores(version_2.proc, version_2.root) == (cores or len(os.sched_getaffinity(0)))


def test_a_server_has_as_many_workers_as_cores_that_it_may_use(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "f.db", "--workers=auto") as server:
        assert server.ready_line.endswith(f"workers: {count_cores()}\n")
