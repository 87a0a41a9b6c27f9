"""GStreamer's RTSP server as a camera: ``/usr/bin/python3 rtsp_server.py [PORT]``.

Run by the system's own Python, which has the bindings; nothing of ours is imported. It prints its address, and ends
with standard input. Its picture is H.264 with a key frame a second, its sound is A-law, as cameras have it.
"""

from __future__ import annotations

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CAMERA = """(
videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1
  ! openh264enc gop-size=25 complexity=low ! video/x-h264,profile=constrained-baseline ! rtph264pay name=pay0 pt=96
audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8
)"""


def main() -> None:
    """Serve until standard input ends."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1] if len(sys.argv) > 1 else "0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(CAMERA)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    loop = GLib.MainLoop()

    def listen() -> None:
        sys.stdin.read()
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    sys.stdout.write(f"rtsp://127.0.0.1:{server.get_bound_port()}/camera\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main()
