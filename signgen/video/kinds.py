"""Which files are videos."""

from pathlib import Path

import av

# What a file may be read as, and from where. FFmpeg knows more: images, text, lists of other files, which it opens.
ALLOWED = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegvideo,mpegts,flv,asf,gif,ogg,mxf,ivf,h264,hevc,m4v,yuv4mpegpipe",
    "protocol_whitelist": "file",
}
MATROSKA = b"\x1aE\xdf\xa3"
STILLS = (b"avif", b"heic", b"heix", b"mif1")
VIDEO_SUFFIXES = frozenset(
    ".mp4 .mov .mkv .avi .webm .m4v .mpg .mpeg .wmv .asf .ts .mts .m2ts .flv .gif .3gp .ogv .vob .qt .mxf".split()
)


def is_video(path: Path) -> bool:
    """Whether a file begins as MP4, Matroska or AVI do, or FFmpeg opens it as a video; not so for single images."""
    if not (head := _head(path)):
        return False
    if head[4:8] == b"ftyp":
        return not is_still(path)
    if head[:4] == MATROSKA or (head[:4], head[8:]) == (b"RIFF", b"AVI "):
        return True
    try:
        with av.open(file_url(path), options=ALLOWED) as container:
            return bool(container.streams.video)
    except (av.FFmpegError, ValueError):
        return False


def is_still(path: Path) -> bool:
    """Whether a file begins as a single image in MP4's container does: telephones' HEIC, or AVIF."""
    head = _head(path)
    return head[4:8] == b"ftyp" and head[8:] in STILLS


def _head(path: Path) -> bytes:
    """The first 12 bytes of a plain file, nothing of anything else."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(12)


def file_url(path: str | Path) -> str:
    """The path as FFmpeg takes it for a file: a colon in a name looks like a protocol."""
    return f"file:{path}"
