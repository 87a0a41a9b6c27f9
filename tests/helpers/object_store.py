"""A real S3 server of its own (moto's), and what it holds."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.config import CopiesConfig

BUCKET = "second"
KEY, SECRET = "KONSILTESTKEY", "this-secret-stands-in-no-log"


class ObjectStore:
    """Its address, and the objects in its one bucket."""

    def __init__(self, url: str, client: Any) -> None:
        self.url = url
        self._client = client

    def config(self, folder: Path, **changes: Any) -> CopiesConfig:
        """Configure a server to copy to it, with the credentials in a file of this folder."""
        file = folder / "credentials"
        file.write_text(f"{KEY}\n{SECRET}\n")
        file.chmod(0o600)
        return CopiesConfig(
            place=f"s3://{BUCKET}/house",
            endpoint=self.url,
            credentials_file=str(file),
            rate_mb=1000,
            **changes,
        )

    def clear(self) -> None:
        """Remove everything."""
        for name in self.names():
            self._client.delete_object(Bucket=BUCKET, Key=name)

    def names(self) -> list[str]:
        """Name all objects."""
        found = self._client.list_objects_v2(Bucket=BUCKET)
        return sorted(each["Key"] for each in found.get("Contents", []))

    def read(self, name: str) -> bytes:
        """Read one."""
        body: bytes = self._client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        return body

    def write(self, name: str, data: bytes) -> None:
        """Put something else in its place."""
        self._client.put_object(Bucket=BUCKET, Key=name, Body=data)

    def changed(self, name: str) -> Any:
        """Say when it was written."""
        return self._client.head_object(Bucket=BUCKET, Key=name)["LastModified"]


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run the server while the context lasts, on a free port of the loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=BUCKET)
        yield ObjectStore(url, client)
        client.close()
    finally:
        server.stop()
