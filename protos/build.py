"""Generates Python from the protos: `wrtn/` and `buf/`, both ignored by git.

`python protos/build.py` compiles every proto under `protos/` when one has changed since the last
build (by content hash, so that a checkout that only touches times costs nothing), and writes

- `wrtn/<package>/*_pb2.py`, `*_pb2_grpc.py` and their typed stubs,
- `buf/validate/validate_pb2.py`, from the descriptor that the protovalidate wheel carries,
- `wrtn/descriptors.binpb`, the descriptor set with comments that the gateway and buf read.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from google.api import annotations_pb2, httpbody_pb2
from google.protobuf import (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
OUT = ROOT / "wrtn"
STAMP = OUT / ".built-from"
VALIDATE = "buf/validate/validate.proto"


def main() -> None:
    """Builds if needed; prints what it did in one line."""
    sources = sorted(PROTOS.rglob("*.proto"))
    wanted = fingerprint(sources)
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print(f"generating wrtn/ from {len(sources)} protos", flush=True)
    for stale in (OUT, ROOT / "buf"):
        shutil.rmtree(stale, ignore_errors=True)
    OUT.mkdir()
    compile_all([str(path.relative_to(PROTOS)) for path in sources])
    # In a process of its own: the page is read from what was generated just now.
    subprocess.run([sys.executable, "-m", "protos.access"], cwd=ROOT, check=True)
    STAMP.write_text(wanted)


def fingerprint(sources: list[Path]) -> str:
    """Hashes the protos, this file and the compiler's version."""
    digest = hashlib.sha256(version("grpcio-tools").encode())
    for path in [*sources, Path(__file__)]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def compile_all(names: list[str]) -> None:
    """Runs protoc for validate.proto, whose source is in no package, then for ours."""
    bundle = OUT / "imports.binpb"
    bundle.write_bytes(imports().SerializeToString())
    given = f"--descriptor_set_in={bundle}"
    run([given, f"--python_out={ROOT}", f"--mypy_out=quiet:{ROOT}", VALIDATE])
    run(
        [
            f"-I{PROTOS}",
            given,
            f"--python_out={ROOT}",
            f"--grpc_python_out={ROOT}",
            f"--mypy_out=quiet:{ROOT}",
            f"--mypy_grpc_out=quiet:{ROOT}",
            f"--descriptor_set_out={OUT / 'descriptors.binpb'}",
            "--include_imports",
            "--include_source_info",
            *names,
        ]
    )
    bundle.unlink()
    complete(OUT / "descriptors.binpb")


def complete(file: Path) -> None:
    """Adds the details that a google.rpc.Status carries: the gateway shows what no proto imports."""
    found = FileDescriptorSet.FromString(file.read_bytes())
    have = {each.name for each in found.file}
    details = error_details_pb2.DESCRIPTOR
    wanted = {details.name, *(each.name for each in details.dependencies)}
    missing = [each for each in imports().file if each.name in wanted - have]
    file.write_bytes(FileDescriptorSet(file=[*found.file, *missing]).SerializeToString())


def imports() -> FileDescriptorSet:
    """Answers the descriptors of every proto that ours may import, dependencies first."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        found[file.name] = FileDescriptorProto.FromString(file.serialized_pb)

    for module in (
        annotations_pb2,
        httpbody_pb2,
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
        error_details_pb2,
        status_pb2,
    ):
        add(module.DESCRIPTOR)
    validate = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    return FileDescriptorSet(file=[*found.values(), validate])


def run(arguments: list[str]) -> None:
    """Runs protoc in this process; it has already printed what is wrong when it fails."""
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit("protoc refused the protos: see above")


if __name__ == "__main__":
    main()
