"""RTP and RTCP on the wire: frozen packets that build and parse themselves. No state but sequence numbers."""
