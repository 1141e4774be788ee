"""
The pods' images, built here: ours from the repository's Dockerfile, the sandbox's and Istio's proxy from programs.

No registry is asked. What a Dockerfile takes for its base is a Debian made by debootstrap, under the base's name; layers
are kept from one time to the next, so a change of the code costs what its own layers cost.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import envoy
import yaml

from tests.cluster.harness import containerd, istio, kserve
from tests.cluster.harness.node import Node
from tests.tools import CACHE, ROOT, built, source_of

S3: Final = "sklearn-kserve.test/s3:1"
"""A server of S3, for tests to run in a pod."""
_ENTRYPOINT: Final = "python/storage-initializer/scripts/initializer-entrypoint"
_HERE: Final = Path(__file__).resolve().parents[1] / "images"
_SUITE: Final = "bookworm"
# Python is what the base's name promises, the rest what its image has besides.
_PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
# So that a build reaches the package index as this machine does.
_FROM_THE_MACHINE: Final = (Path("/etc/ssl/certs"), Path("/etc/pip.conf"))


def server() -> str:
    """Return the name of our image, as the chart says it by default."""
    return ":".join(_named())


def training() -> str:
    """Return the name that the image of the Dockerfile's target `training` has here; the chart says none."""
    repository, tag = _named()
    return f"{repository}-training:{tag}"


def _named() -> tuple[str, str]:
    """Return the repository and the tag of our image."""
    chart = ROOT / "helm" / "sklearn-kserve"
    values = yaml.safe_load((chart / "values.yaml").read_text())
    return values["image"]["repository"], yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"]


def start(node: Node) -> None:
    """Bring those that every pod needs, and our own."""
    bring(node, "pause", "proxyv2")
    bring_own(node, server())


def bring_own(node: Node, name: str, target: str = "") -> None:
    """Build an image from the repository's Dockerfile, its last stage or another, and import it; `start` has made the base."""
    _bring(node, _build(node, name, ROOT / "Dockerfile", ROOT, target=target))


def bring(node: Node, *names: str) -> None:
    """Build images that have a Dockerfile beside the tests, as far as something has changed, and import them."""
    base = f"--build-arg=BASE={_base(node)}"
    for name in names:
        recipe = _RECIPES[name]
        with tempfile.TemporaryDirectory() as directory:
            for file in recipe.context():
                shutil.copy(file, directory)
            _bring(node, _build(node, recipe.image, _HERE / f"{name}.Dockerfile", Path(directory), base))


def stop(node: Node) -> None:
    """Nothing: they go with containerd's directory."""


def _bring(node: Node, archive: Path) -> None:
    node.run(*containerd.ctr(node, "images", "import", str(archive)))


def _base(node: Node) -> str:
    """Make the base where there is none yet; return its name."""
    found = re.search(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found, "the Dockerfile says its base in an ARG"
    base = found[1]
    if not _buildah(node, "images", "--quiet", "--filter", f"reference={base}"):
        with tempfile.TemporaryDirectory() as rootfs:
            mirror = node.run("apt-get", "indextargets", "--format=$(REPO_URI)", f"Release: {_SUITE}").splitlines()
            node.run(
                "debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", _SUITE, rootfs, *mirror[:1]
            )
            shutil.rmtree(Path(rootfs, "var/cache/apt/archives"))
            Path(rootfs, "usr/local/bin/python").symlink_to("/usr/bin/python3")
            container = _buildah(node, "from", "scratch")
            _buildah(node, "add", "--quiet", container, rootfs, "/")
            _buildah(node, "config", "--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container)
            _buildah(node, "commit", "--quiet", "--rm", container, base)
    return base


def _build(node: Node, name: str, dockerfile: Path, context: Path, *args: str, target: str = "") -> Path:
    mounts = [f"--volume={path}:{path}:ro" for path in _FROM_THE_MACHINE if path.exists()]
    stem = ".".join(filter(None, (dockerfile.stem.lower(), target)))
    identity = node.write(f"images/{stem}.id", "")
    _buildah(
        node, "build", "--isolation=chroot", "--pull-never", "--layers", f"--target={target}", *mounts, *args,
        f"--tag={name}", f"--iidfile={identity}", f"--file={dockerfile}", str(context),
    )  # fmt: skip
    archive = CACHE / "images" / f"{stem}-{identity.read_text().removeprefix('sha256:')[:12]}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        for old in archive.parent.glob(f"{stem}-*"):
            old.unlink()
        _buildah(node, "push", "--quiet", identity.read_text(), f"docker-archive:{archive}.partial:{name}")
        Path(f"{archive}.partial").rename(archive)
    return archive


def _buildah(node: Node, *args: str) -> str:
    storage = [f"--root={CACHE / 'buildah'}", f"--runroot={node.state / 'buildah'}", "--storage-driver=overlay"]
    return node.run("buildah", *storage, *args).strip()


def _envoy() -> Path:
    """Return the program that the package carries; what it puts beside the interpreter only starts that."""
    return Path(envoy.__file__).parent / "_bin" / "envoy"


class _Recipe(NamedTuple):
    """What a Dockerfile makes, and the files that it takes."""

    image: str
    context: Callable[[], list[Path]]


# By their Dockerfiles' names.
_RECIPES: Final = {
    "pause": _Recipe(containerd.PAUSE_IMAGE, lambda: [built("pause") / "pause"]),
    "proxyv2": _Recipe(
        istio.PROXY_IMAGE,
        lambda: [
            built("istio") / "pilot-agent",
            _envoy(),
            source_of("istio", "istio.io/istio") / "tools/packaging/common/envoy_bootstrap.json",
        ],
    ),
    "storage-initializer": _Recipe(
        kserve.STORAGE_IMAGE,
        lambda: [
            source_of("kserve", "github.com/kserve/kserve") / _ENTRYPOINT,
            _HERE / "storage-initializer.txt",
        ],
    ),
    "s3": _Recipe(S3, lambda: [_HERE / "s3.txt"]),
}
