"""Every setting: its unit, default, why one would change it, and what a peer notices.

Read once at start, from keyword arguments, environment variables ``SKIAGRAPH_…`` and a TOML file, in this
order of precedence; passed down as a frozen value. Nothing reads the environment later.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

KIB, MIB, GIB = 2**10, 2**20, 2**30
DAY = 86_400.0


class Settings(BaseSettings):
    """The effective settings of one server."""

    model_config = SettingsConfigDict(env_prefix="SKIAGRAPH_", frozen=True, extra="forbid")

    data: Path = Field(
        Path("data"),
        description="Folder that holds everything: the blobs (files) and the index (SQLite). Created at start.",
    )
    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Anything but a loopback address is refused without `insecure`, as this"
        " version has no authentication of its own.",
    )
    port: int = Field(8080, ge=0, le=65535, description="TCP port to listen on.")
    workers: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="Server processes. More of them store and read in parallel; each needs about 80 MB of memory."
        " Default: one per processor, at most 4.",
    )
    insecure: bool = Field(
        False,
        description="Listen on a non-loopback address although nobody is asked for credentials. Only behind a"
        " proxy that authenticates, or in a closed network.",
    )
    base_path: str = Field(
        "/dicom-web",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path of the Base URI of the DICOMweb services.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+(/[^?#]*)?$",
        description="Base URI as clients see it, such as https://pacs.example.org/dicom-web. All URLs in answers"
        " start with it. Default: made from each request (Host, and Forwarded headers of trusted proxies).",
    )
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks (CIDR) of proxies whose Forwarded and X-Forwarded-* headers are believed."
        " Others can not change the URLs in answers.",
    )
    relative_urls: bool = Field(
        False,
        description="Give BulkDataURI relative to the URL of the request (RFC 3986) instead of absolute.",
    )
    cors_origins: tuple[str, ...] = Field(
        ("*",),
        description="Web origins whose pages may call this server. `*` means every origin, without credentials.",
    )
    duplicates: Literal["reject", "replace", "keep"] = Field(
        "reject",
        description="What happens when a different data set arrives under a stored SOP Instance UID. reject: the"
        " Instance fails with 0x0111; replace: it becomes the stored one; keep: the stored one stays and the"
        " sender gets a warning. The same data set again is always a success without a change.",
    )
    durable: bool = Field(
        True,
        description="Flush each Instance and its folder to the disk before success is answered. Off: about twice as"
        " fast; a power cut (not a crash of the server) can lose what was stored in the last seconds.",
    )
    keep_free_bytes: int = Field(
        64 * MIB,
        ge=0,
        description="Bytes of the disk that Store leaves free, so that the index can still be written and Instances"
        " can be deleted when the disk is full. Below it Store answers 507.",
    )
    empty_search: Literal["200", "204"] = Field(
        "200",
        description="Status of a search that finds nothing: 200 with [] (newer editions) or 204 (PS3.18 2024e).",
    )
    strict_accept: bool = Field(
        False,
        description="Answer 406 to requests without Accept header, as PS3.18 §8.7.5 says. Off: treated as */*.",
    )
    bulkdata_threshold: int = Field(
        1 * KIB,
        ge=0,
        le=1 * GIB,
        description="Bytes above which a binary value becomes a BulkDataURI in metadata instead of InlineBinary.",
    )
    default_character_set: str = Field(
        "",
        description="Specific Character Set assumed where a data set has non-ASCII text but names none, such as"
        " ISO_IR 100. Default: UTF-8 where the bytes are valid UTF-8, else ISO_IR 100.",
    )
    max_search_results: int | None = Field(
        None,
        ge=1,
        description="Most results of one search answer. Default: no limit (answers are streamed). When it cuts, the"
        " answer says so with Warning 299 and a Link to the next page.",
    )
    recent_bytes: int = Field(
        64 * MIB,
        ge=0,
        description="Bytes of answers (metadata) that each worker keeps in memory for the next one who asks.",
    )
    pixel_threads: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="Threads of each worker that decode and encode pixels. Default: one per processor, at most 4.",
    )
    pixel_bytes: int = Field(
        64 * MIB,
        ge=0,
        description="Bytes of converted frames and rendered pictures that each worker keeps in memory for the next one"
        " who asks.",
    )
    video_bytes: int = Field(
        1 * GIB,
        ge=1 * MIB,
        description="Bytes of the disk that videos take which were made of frames or of other videos, and are kept for"
        " the next one who asks. One that is larger by itself is not made: 413.",
    )
    max_video_pixels: int = Field(
        16 * GIB,
        ge=1 * MIB,
        description="Most pixels in all frames of a video that is encoded for one request, or that are decoded on the"
        " way to one frame of a stored video. Over it: 413. 16 Gi take some minutes, and are 8,285 frames of 1920 ×"
        " 1080. Videos that are sent as they are stored have no limit.",
    )
    max_frame_bytes: int = Field(
        256 * MIB,
        ge=1 * MIB,
        description="Most bytes of one frame once decoded. Larger ones go out as they are stored, and are not converted"
        " (406).",
    )
    ae_title: str = Field(
        "SKIAGRAPH",
        pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$",
        description="AE title of this server. Event reports name it as who asks where a request does not say who does.",
    )
    worklist_label: str = Field(
        "Worklist",
        min_length=1,
        max_length=64,
        description="Worklist Label of Workitems that are created without one.",
    )
    strict_workitems: bool = Field(
        False,
        description="Refuse Workitems and performed procedure steps that lack attributes of Type 2, or whose Items lack"
        " attributes of Type 1 (400)."
        " Off: the former are added empty, with a Warning, and the latter are kept as they are.",
    )
    workitem_retention_hours: float = Field(
        24.0,
        ge=0,
        description="Hours for which a COMPLETED or CANCELED Workitem is kept. Then it is deleted (410), unless a"
        " subscriber holds a deletion lock on it. Worklist entries of modalities are kept as long once they are"
        " performed.",
    )
    performed_step_days: float | None = Field(
        None,
        ge=0,
        description="Days for which a COMPLETED or DISCONTINUED performed procedure step is kept. Then it is deleted"
        " (410). Default: for ever.",
    )
    deletion_lock_days: float = Field(
        30.0, ge=0, description="Days after which a deletion lock no longer keeps a finished Workitem."
    )
    event_report_days: float = Field(
        7.0,
        gt=0,
        description="Days for which event reports wait for a subscriber that is away. Older ones are dropped.",
    )
    event_report_queue: int = Field(
        10_000,
        ge=1,
        description="Event reports that wait for one subscriber at most. Beyond, the oldest are dropped.",
    )
    status_subscribers: tuple[str, ...] = Field(
        (),
        description="AE titles that hear of start and stop of this server although they are subscribed to nothing"
        " (PS3.4 CC.2.4.3 wants such a list, as subscriptions may be lost).",
    )
    commitment_days: float = Field(
        30.0,
        ge=0,
        description="Days for which an instance is kept after the server has committed to it (Storage Commitment):"
        " to delete it is refused with 409, and to replace it with 0x0111. 0: commitment keeps nobody from deleting.",
    )
    commitment_result_days: float = Field(
        30.0,
        gt=0,
        description="Days for which the result of a commitment request can be asked for. Then it is deleted (410); its"
        " Transaction UID stays used (409).",
    )
    commitment_wait_seconds: float = Field(
        5.0,
        ge=0,
        le=600,
        description="Seconds that a commitment request waits for its result. What takes longer goes on unseen"
        " and is answered with 202; 0: everything.",
    )
    max_request_bytes: int | None = Field(
        None, ge=1, description="Largest payload of a request, bytes. Default: no limit. Over it: 413."
    )
    stalled_seconds: int = Field(
        120,
        ge=1,
        description="Seconds without a byte after which an unfinished request is given up with 408, and a WebSocket"
        " whose client does not read is closed.",
    )
    max_header_bytes: int = Field(
        256 * MIB,
        ge=1 * MIB,
        description="Most bytes of a data set outside its bulk data. Over it the Instance fails (0xA700).",
    )
    max_inflated_bytes: int = Field(
        2 * GIB,
        ge=1 * MIB,
        description="Most bytes that a deflated data set may inflate to. Over it the Instance fails (0xA700).",
    )
    max_sequence_depth: int = Field(
        200, ge=1, le=250, description="Deepest nesting of Sequences. Over it: fails (0xC000)."
    )
    max_data_set_bytes: int = Field(
        16 * MIB,
        ge=1 * KIB,
        description="Most bytes of a request that carries data sets without bulk data: workitems, worklist entries,"
        " commitment requests. Over it: 413.",
    )
    max_part_header_bytes: int = Field(
        16 * KIB, ge=1 * KIB, description="Most header bytes of one multipart part. Over it: 400."
    )
    max_parts: int = Field(100_000, ge=1, description="Most parts of one multipart request. Over it: 400.")
    max_frames_in_list: int = Field(100_000, ge=1, description="Most frames named in one request. Over it: 400.")
    max_query_conditions: int = Field(100, ge=1, description="Most match conditions of one search. Over it: 400.")
    log_format: Literal["text", "json"] = Field("text", description="Form of the log on standard error.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def load(config: Path | None = None, **given: object) -> Settings:
    """Read the settings: what is given, else the environment, else the TOML file, else the defaults.

    Raises
    ------
    pydantic.ValidationError
        A value is not one that the setting takes; the message names the setting.
    """

    class FromFile(Settings):
        model_config = SettingsConfigDict(env_prefix="SKIAGRAPH_", frozen=True, extra="forbid", toml_file=config)

    return FromFile(**given)  # type: ignore[arg-type]
