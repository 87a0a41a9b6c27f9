"""GStreamer's webrtcbin with a few lines of WHIP or WHEP around it: ``/usr/bin/python3 gstreamer_peer.py MODE URL``.

MODE is `send` or `play`. Run by the system's own Python, which has the bindings; nothing of ours is imported. The token
is the first line of standard input, and its end ends the session with a DELETE. What happens is printed, a line each:
`connected`, `frame WIDTH HEIGHT`, `sound`, `ended`.
"""

from __future__ import annotations

import sys
import threading
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

#: A small picture that moves, in H.264, and a tone. Key frames come when they are asked for.
SEND = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1
  ! openh264enc gop-size=1000 complexity=low ! video/x-h264,profile=constrained-baseline
  ! rtph264pay config-interval=-1 aggregate-mode=zero-latency
  ! application/x-rtp,media=video,encoding-name=H264,payload=96 ! peer.
audiotestsrc is-live=true wave=ticks ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""

#: What is offered to be received.
RECEIVABLE = (
    "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000;"
    "application/x-rtp,media=video,encoding-name=H264,payload=98,clock-rate=90000,packetization-mode=(string)1",
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
)


class Peer:
    """One session."""

    def __init__(self, mode: str, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.resource = ""
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(SEND) if mode == "send" else Gst.Pipeline.new()
        if mode == "play":
            element = Gst.ElementFactory.make("webrtcbin", "peer")
            element.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            self.pipeline.add(element)
        self.peer = self.pipeline.get_by_name("peer")
        # libnice leaves the loopback out by itself; the agent is kept, since the binding takes its only reference
        self.agent = self.peer.get_property("ice-agent")
        self.agent.emit("add-local-ip-address", "127.0.0.1")
        if mode == "play":
            for caps in RECEIVABLE:
                direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                self.peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
            self.peer.connect("pad-added", self.show)
        self.peer.connect("on-negotiation-needed", lambda _: self.offer())
        self.peer.connect("notify::ice-gathering-state", lambda *_: self.gathered())
        self.peer.connect("notify::connection-state", lambda *_: self.changed())
        self.pipeline.get_bus().add_signal_watch()
        self.pipeline.get_bus().connect("message::error", self.failed)

    def run(self) -> None:
        """Play until standard input ends."""
        self.pipeline.set_state(Gst.State.PLAYING)
        threading.Thread(target=self.listen, daemon=True).start()
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def listen(self) -> None:
        """Wait for the end."""
        sys.stdin.read()
        if self.resource:
            self.request("DELETE", self.resource, None)
        GLib.idle_add(self.loop.quit)

    def offer(self) -> None:
        """Make an offer; it is sent when all candidates are known."""

        def made(promise: Gst.Promise) -> None:
            reply = promise.get_reply()  # owns the description
            self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def gathered(self) -> None:
        """Send the offer, take the answer."""
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.peer.get_property("ice-gathering-state") != complete or self.resource:
            return
        text = self.peer.get_property("local-description").sdp.as_text()
        location, answer = self.request("POST", self.url, text.encode())
        self.resource = urljoin(self.url, location)
        _, sdp = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", description, Gst.Promise.new())

    def request(self, method: str, url: str, body: bytes | None) -> tuple[str, str]:
        """Ask the server; returns the answer's Location and body."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.headers.get("Location", ""), response.read().decode()

    def changed(self) -> None:
        """Tell that it is connected."""
        if self.peer.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            say("connected")

    def show(self, _: Gst.Element, pad: Gst.Pad) -> None:
        """Decode a stream that arrives and tell of each picture."""
        if pad.direction != Gst.PadDirection.SRC:
            return
        decode = Gst.ElementFactory.make("decodebin")
        decode.connect("pad-added", self.decoded)
        self.pipeline.add(decode)
        decode.sync_state_with_parent()
        pad.link(decode.get_static_pad("sink"))

    def decoded(self, _: Gst.Element, pad: Gst.Pad) -> None:
        """Count what comes out of a decoder."""
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", told, pad)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def failed(self, _: Gst.Bus, message: Gst.Message) -> None:
        """End with the pipeline's own words."""
        say(f"ended {message.parse_error().gerror.message}")
        self.loop.quit()


def told(_: Gst.Element, buffer: Gst.Buffer, __: Gst.Pad, pad: Gst.Pad) -> None:
    """Tell of one decoded buffer."""
    caps = pad.get_current_caps().get_structure(0)
    if caps.get_name() == "video/x-raw":
        say(f"frame {caps.get_int('width').value} {caps.get_int('height').value}")
    elif buffer.get_size():
        say("sound")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Gst.init(None)
    Peer(sys.argv[1], sys.argv[2], sys.stdin.readline().strip()).run()
