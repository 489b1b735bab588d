"""Objects in S3 or anything that speaks it; the only module that knows the driver (CMP-20).

One client for the life of the process (CMP-21): path addressing, signature v4, explicit timeouts,
and checksums only where the API demands them, because third-party stores reject the newer kinds.
Nothing is retried here: a conditional put that timed out may have happened.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from runtime import sections
from runtime.objects.interface import (
    Object,
    ObjectError,
    ObjectInfo,
    check_name,
    check_prefix,
    check_range,
    clip,
)

CODES = {
    "404": "not_found",
    "NoSuchKey": "not_found",
    "NotFound": "not_found",
    "InvalidRange": "bad_range",
    "416": "bad_range",
}
PAGE = 1000  # the most that one ListObjectsV2 answers
COPY_BYTES = 5 << 30  # the most that one CopyObject, or one part of an upload, may take
SMALL_BYTES = 5 << 20  # "copy a range only if the source object is greater" (UploadPartCopy)


class S3Store:
    """One bucket, made at start if it is missing."""

    def __init__(self, settings: sections.Objects) -> None:
        self.name = "objects"
        self._settings = settings
        self._bucket = settings.bucket
        self._client: Any = None
        self._open = AsyncExitStack()

    async def start(self) -> None:
        """Open the client and prove it on the bucket."""
        import aioboto3  # half a second and 60 MB that a folder store does not pay
        from aiobotocore.config import AioConfig

        settings = self._settings
        session = aioboto3.Session(
            aws_access_key_id=settings.access_key.get_secret_value() or None,
            aws_secret_access_key=settings.secret_key.get_secret_value() or None,
            region_name=settings.region,
        )
        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            retries={"total_max_attempts": 1, "mode": "standard"},
            request_checksum_calculation=settings.checksums,
            response_checksum_validation=settings.checksums,
        )
        client = session.client("s3", endpoint_url=settings.url, config=config)
        self._client = await self._open.enter_async_context(client)
        try:
            await self._call("head_bucket")
        except ObjectError as error:
            if error.code != "not_found":
                raise
            await self._call("create_bucket")

    def ready(self) -> str | None:
        return None if self._client is not None else "not connected"

    async def drain(self) -> None:
        """Stays usable."""

    async def stop(self) -> None:
        self._client = None
        await self._open.aclose()

    async def put(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        check_name(name)
        condition: dict[str, str] = {}
        if if_absent:
            condition["IfNoneMatch"] = "*"
        if if_match is not None:
            condition["IfMatch"] = f'"{if_match}"'
        failed = "exists" if if_absent else "changed"
        answer = await self._call(
            "put_object", failed, Key=name, Body=body, ContentType=content_type, **condition
        )
        return str(answer["ETag"]).strip('"')

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        check_name(name)
        check_range(start, end)
        wanted = {} if not start and end is None else {"Range": _range(start, end)}
        ranged = bool(wanted)
        if if_match is not None:
            wanted["IfMatch"] = f'"{if_match}"'
        try:
            answer = await self._call("get_object", Key=name, **wanted)
        except ObjectError as error:
            if error.code != "bad_range" or start:
                raise
            return Object(await self.head(name), b"")  # any range of an empty body
        async with _errors(), answer["Body"] as stream:
            body = await stream.read()
        place, _, whole = answer.get("ContentRange", "").partition("/")
        if ranged and place != f"bytes {start}-{start + len(body) - 1}":
            raise ObjectError("unavailable", f"{place or 'everything'} instead of byte {start} on")
        return Object(_info(name, answer, int(whole or answer["ContentLength"])), body)

    async def copy(
        self, source: str, name: str, *, start: int = 0, end: int | None = None
    ) -> ObjectInfo:
        check_name(source)
        check_name(name)
        check_range(start, end)
        found = await self._call("head_object", Key=source)
        size = found["ContentLength"]
        at, until = clip(start, end, size)
        place = {
            "CopySource": {"Bucket": self._bucket, "Key": source},
            "CopySourceIfMatch": found["ETag"],
        }
        if until - at == size <= COPY_BYTES:
            await self._call("copy_object", Key=name, **place)
        elif size <= SMALL_BYTES:
            part = await self.get(source, start=at, end=until, if_match=found["ETag"].strip('"'))
            await self.put(name, part.body, content_type=found.get("ContentType", ""))
        else:
            await self._copy_parts(name, found.get("ContentType", ""), place, at, until)
        return await self.head(name)

    async def _copy_parts(
        self, name: str, content_type: str, place: dict[str, Any], start: int, end: int
    ) -> None:
        """An upload whose parts are ranges of another object; one that fails leaves nothing."""
        made = await self._call("create_multipart_upload", Key=name, ContentType=content_type)
        upload = {"Key": name, "UploadId": made["UploadId"]}
        try:
            parts = []
            for number, at in enumerate(range(start, end, COPY_BYTES), 1):
                here = f"bytes={at}-{min(at + COPY_BYTES, end) - 1}"
                part: dict[str, Any] = {"PartNumber": number, "CopySourceRange": here}
                answer = await self._call("upload_part_copy", **upload, **place, **part)
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            whole = {"Parts": parts}
            await self._call("complete_multipart_upload", **upload, MultipartUpload=whole)
        except BaseException:
            with suppress(ObjectError):
                await self._call("abort_multipart_upload", **upload)
            raise

    async def head(self, name: str) -> ObjectInfo:
        check_name(name)
        answer = await self._call("head_object", Key=name)
        return _info(name, answer, answer["ContentLength"])

    async def find(
        self, prefix: str = "", *, after: str = "", limit: int = 1000
    ) -> list[ObjectInfo]:
        check_prefix(prefix)
        found: list[ObjectInfo] = []
        while len(found) < limit:
            answer = await self._call(
                "list_objects_v2",
                Prefix=prefix,
                StartAfter=found[-1].name if found else after,
                MaxKeys=min(limit - len(found), PAGE),
            )
            rows = answer.get("Contents", [])
            found += [_info(row["Key"], row, row["Size"]) for row in rows]
            if not rows or not answer.get("IsTruncated"):
                break
        return found

    async def delete(self, name: str) -> None:
        check_name(name)
        await self._call("delete_object", Key=name)

    async def _call(self, operation: str, failed: str = "changed", **arguments: Any) -> Any:
        if self._client is None:
            raise RuntimeError("S3Store.start() comes first")
        async with _errors(failed):
            return await getattr(self._client, operation)(Bucket=self._bucket, **arguments)


def _range(start: int, end: int | None) -> str:
    return f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"


def _info(name: str, row: Any, size: int) -> ObjectInfo:
    modified_ms = int(row["LastModified"].timestamp() * 1000)
    return ObjectInfo(name, size, row["ETag"].strip('"'), modified_ms)


@asynccontextmanager
async def _errors(failed: str = "changed") -> AsyncIterator[None]:
    """The driver's errors as ours, without the server's message: it may quote the request."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
            raise ObjectError(failed, code) from None
        raise ObjectError(CODES.get(code, "unavailable"), code) from None
    except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError, TimeoutError):
        raise ObjectError("timeout", "no answer from the object store in time") from None
    except (exceptions.BotoCoreError, exceptions.HTTPClientError, OSError) as error:
        raise ObjectError("unavailable", type(error).__name__) from None
