"""Upstream's SavedModel, out of its zip or from its unpacked folder, verified before it is used."""

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worker.decimer.errors import ModelError

# The printed-structure model (upstream's record 8300489); no hash of the hand-drawn one is known to us.
DATA, INDEX = "variables/variables.data-00000-of-00001", "variables/variables.index"
TOKENIZER = "assets/tokenizer_SMILES.pkl"
PRINTED_SHA256 = {
    DATA: "fa16b7e712c18af64a5930240a75ca34c8dec163f5407376b9a5300ebbda38eb",
    INDEX: "1793a178fe88af3f49bb2683f84560d5bfb79c871402fdc93b08c741051dfede",
    TOKENIZER: "c1d579f958146bb1a948320dad92f0eecf4a51001ec9dec1f48767c7b681b43c",
}
MOST_MEMBER_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A folder as upstream lays it out; `sha256` is that of the variables' data."""

    folder: Path
    sha256: str


def open_archive(path: Path, scratch: Path, *, hand_drawn: bool) -> SavedModel:
    """Unpack a zip into `scratch`, or take a folder as it is; verify. Raises ModelError."""
    wanted = [DATA, INDEX] if hand_drawn else [DATA, INDEX, TOKENIZER]
    if not path.exists():
        raise ModelError(f"{path}: no such file; give upstream's zip or the folder it unpacks to")
    folder = _find_folder(path) if path.is_dir() else _unpack(path, scratch, wanted)
    hashes = {}
    for name in wanted:
        if not (folder / name).is_file():
            raise ModelError(f"{path}: {name} is missing; give upstream's zip or the folder it unpacks to")
        hashes[name] = hash_file(folder / name)
        if not hand_drawn and hashes[name] != PRINTED_SHA256[name]:
            raise ModelError(
                f"{path}: {name} has SHA-256 {hashes[name]}, not {PRINTED_SHA256[name]}: it is damaged or "
                "another model. Fetch it again, or use `--hand-drawn` if it is upstream's model for those"
            )
    if hand_drawn and hashes[DATA] == PRINTED_SHA256[DATA]:
        raise ModelError(f"{path}: this is the model for printed structures, not for hand-drawn ones")
    return SavedModel(folder, hashes[DATA])


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_folder(path: Path) -> Path:
    if (path / DATA).is_file():
        return path
    inner = [child for child in path.iterdir() if (child / DATA).is_file()]
    if len(inner) != 1:
        raise ModelError(f"{path}: no SavedModel folder (variables/, assets/) in it")
    return inner[0]


def _unpack(path: Path, scratch: Path, wanted: list[str]) -> Path:
    """Only the wanted members are taken out, under names of our own."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in wanted:
                member = _find_member(archive, name, path)
                target = scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: not a whole zip file ({error}); fetch it again") from error
    return scratch


def _find_member(archive: zipfile.ZipFile, name: str, path: Path) -> zipfile.ZipInfo:
    tail = PurePosixPath(name).parts
    found = [info for info in archive.infolist() if PurePosixPath(info.filename).parts[1:] == tail]
    if len(found) != 1:
        raise ModelError(f"{path}: {name} is in it {len(found)} times, not once; give upstream's zip")
    if found[0].file_size > MOST_MEMBER_BYTES:
        raise ModelError(
            f"{path}: {name} would take {found[0].file_size:,} bytes; this is not upstream's zip"
        )
    return found[0]
