"""The delivery protocol: strict HTTP/1.1 GET, HEAD and OPTIONS on uvloop (RFC 9110, RFC 9112)."""
