"""An extension on the disk: packed, read back and checked as the registry will check it.

Nothing here talks to anyone, so a publisher learns of a fault before anything is uploaded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extctl.failures import CommandError
from extctl.offline_checks import check_files
from shared.bundles.archive import content_hash_of, pack, read_bundle
from shared.bundles.layout import (
    BUNDLE_NAME,
    COMPONENT_PATH,
    DEFAULT_LIMITS,
    MANIFEST_PATH,
    UI_PREFIX,
)
from shared.bundles.manifest import Manifest, parse_manifest
from shared.errors import ManifestInvalidError
from shared.identifiers import ContentHash
from shared.trust.envelope import SignedSubject

SIGNATURE_SUFFIX: Final = ".dsse.json"
MAX_ENVELOPE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBundle:
    """A bundle that the registry would accept, but for its signature."""

    data: bytes
    content_hash: ContentHash
    manifest: Manifest
    files: Mapping[str, bytes]
    warnings: tuple[str, ...]

    @property
    def extension(self) -> str:
        """`publisher.name`."""
        return f"{self.manifest.publisher}.{self.manifest.name}"

    @property
    def subject(self) -> SignedSubject:
        """What a signature of it is about."""
        return SignedSubject(
            content_hash=self.content_hash,
            publisher=self.manifest.publisher,
            name=self.manifest.name,
            version=self.manifest.version,
            runtime=self.manifest.runtime,
        )


def pack_directory(directory: Path) -> CheckedBundle:
    """Packs `manifest.json`, `dist/main.wasm`, `ui/` and the bill of materials of a directory.

    Raises:
        CommandError: a file is missing, unreadable or no regular file.
        ManifestInvalidError, ComponentInvalidError: with all faults.
        BundleInvalidError, BundleTooLargeError: it does not fit into a bundle.
    """
    files = read_directory(directory)
    return _checked(pack(files), files)


def read_directory(directory: Path) -> Mapping[str, bytes]:
    """The files of a directory that belong to its bundle, by path.

    Raises:
        CommandError: as `pack_directory`.
    """
    files = {path: _read(directory / path) for path in _paths(directory)}
    try:
        sbom = parse_manifest(files[MANIFEST_PATH])[0].sbom
    except ManifestInvalidError:
        return files  # told by whoever checks the files
    if sbom is not None and sbom not in files and (directory / sbom).exists():
        files[sbom] = _read(directory / sbom)
    return files


def open_bundle(path: Path) -> CheckedBundle:
    """Reads a packed bundle strictly.

    Raises:
        CommandError, ExtensionError: as `pack_directory`.
    """
    data = _read(path, limit=DEFAULT_LIMITS.packed_bytes)
    return _checked(data, read_bundle(data))


def pack_or_open(path: Path) -> CheckedBundle:
    """A bundle from an extension's directory or from a packed file."""
    return pack_directory(path) if path.is_dir() else open_bundle(path)


def repack(bundle: CheckedBundle, changed: Mapping[str, bytes]) -> CheckedBundle:
    """The bundle with some files replaced; it has another content hash."""
    files = {**bundle.files, **changed}
    return _checked(pack(files), files)


def signature_path(bundle: Path) -> Path:
    """Where the signature of a bundle or of an extension's directory lies: beside it."""
    if bundle.name in ("", ".."):  # ".", which has no name of its own
        bundle = bundle.resolve()
    return bundle.with_name(bundle.name + SIGNATURE_SUFFIX)


def read_envelope(path: Path) -> bytes:
    """Reads a signature envelope; what it says is judged elsewhere."""
    return _read(path, limit=MAX_ENVELOPE_BYTES)


def _paths(directory: Path) -> Iterator[str]:
    for needed in (MANIFEST_PATH, COMPONENT_PATH):
        if not (directory / needed).is_file():
            raise CommandError(
                f"{directory} has no {needed}.",
                hint=f"An extension is a directory with {MANIFEST_PATH}, {COMPONENT_PATH} and, "
                f"if it has pages, {UI_PREFIX}; or give a {BUNDLE_NAME}.",
            )
        yield needed
    for path in sorted((directory / UI_PREFIX).rglob("*")):
        if not path.is_dir() or path.is_symlink():
            yield path.relative_to(directory).as_posix()


def _read(path: Path, *, limit: int = DEFAULT_LIMITS.unpacked_bytes) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            kind = "is not there" if not path.exists() else "is no regular file"
            raise CommandError(f"{path} {kind}.", hint="Bundles hold regular files only.")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > limit:
        raise CommandError(f"{path} is larger than {limit} bytes.")
    return data


def _checked(data: bytes, files: Mapping[str, bytes]) -> CheckedBundle:
    manifest, warnings = check_files(files)
    return CheckedBundle(
        data=data,
        content_hash=content_hash_of(data),
        manifest=manifest,
        files=files,
        warnings=warnings,
    )
