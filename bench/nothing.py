"""nginx with one fixed answer, on the servers' core: what the machine, its kernel, whoever else is
on it and the load itself take of a time that is measured.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import harness

NAME = "nothing"
CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log /dev/null;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000;
    default_type application/json;
    return 200 '{{}}';
  }}
}}
"""


@contextmanager
def served() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process, which has no children, and its port."""
    port = harness.free_port()
    with tempfile.TemporaryDirectory(prefix="hw-") as home:
        folder = Path(home)
        config = harness.write(folder / "nginx.conf", CONFIG.format(folder=folder, port=port))
        process = harness.start([harness.tool("nginx"), "-c", str(config)], port)
        try:
            yield process, port
        finally:
            harness.stop(process)
