"""HTTP by hand, to choose what goes out in which packet; and the client's side of zstd."""
import json
import socket
import time

import zstandard

HEADER = {"v": 11, "k": "", "c": "test,1,linux", "s": "abcde"}


def compress(data):
    """As clients do: one frame, without its size and without a checksum."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(data)


def decompress(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def chunked(body, size=16384):
    out = []
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        out.append(b"%x\r\n%s\r\n" % (len(piece), piece))
    return [*out, b"0\r\n\r\n"]


class Answer:
    def __init__(self, status, headers, body, complete):
        self.status, self.headers, self.body, self.complete = status, headers, body, complete

    @property
    def data(self):
        assert self.status == 200, (self.status, self.body)
        return decompress(self.body) if "anki-original-size" in self.headers else self.body

    @property
    def json(self):
        return json.loads(self.data)


class Connection:
    """Keep-alive, like a client's pool."""

    def __init__(self, port, timeout=30, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces, pause=0):
        for piece in pieces:
            self.socket.sendall(piece)
            if pause:
                time.sleep(pause)

    def head(self, path, framing, verb="POST", header=HEADER, extra=()):
        lines = [f"{verb} {path} HTTP/1.1", "host: test", "accept: */*", "content-type: application/octet-stream", *extra]
        if header is not None:
            lines.append("anki-sync: " + (header if isinstance(header, str) else json.dumps(header)))
        if framing is not None:
            lines.append(framing)
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _more(self):
        piece = self.socket.recv(1 << 20)
        self.rest += piece
        return piece

    def wait(self):
        """Until the answer begins to come."""
        assert self._more()

    def _take(self, n):
        """n bytes, or what there was when the connection ended."""
        while len(self.rest) < n and self._more():
            pass
        piece = bytes(self.rest[:n])
        del self.rest[:n]
        return piece

    def _line(self):
        while (end := self.rest.find(b"\r\n")) < 0:
            if not self._more():
                raise ConnectionError("closed")
        return self._take(end + 2)[:-2].decode()

    def _chunks(self):
        """The body, and whether its end was seen."""
        body = bytearray()
        try:
            while size := int(self._line(), 16):
                piece = self._take(size)
                body += piece
                if len(piece) < size or self._take(2) != b"\r\n":
                    return body, False
            self._line()
        except (ConnectionError, ValueError):
            return body, False
        return body, True

    def receive(self, verb="POST"):
        """An Answer; `complete` says whether its end was seen."""
        status = 100
        while status == 100:
            status = int(self._line().split()[1])
            headers = {}
            while line := self._line():
                name, value = line.split(":", 1)
                headers[name.lower()] = value.strip()
        if verb == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"", True)
        if "content-length" in headers:
            length = int(headers["content-length"])
            body = self._take(length)
            return Answer(status, headers, body, len(body) == length)
        if headers.get("transfer-encoding") == "chunked":
            body, complete = self._chunks()
            return Answer(status, headers, bytes(body), complete)
        while self._more():
            pass
        return Answer(status, headers, self._take(len(self.rest)), True)

    def ask(self, path, payload=b"{}", framing="chunked", verb="POST", header=HEADER, extra=(), pack=True):
        body = compress(payload) if pack else payload
        if framing == "chunked":
            self.send(self.head(path, "transfer-encoding: chunked", verb, header, extra) + b"".join(chunked(body)))
        elif framing == "length":
            self.send(self.head(path, f"content-length: {len(body)}", verb, header, extra) + body)
        else:
            self.send(self.head(path, None, verb, header, extra))
        return self.receive(verb)


def ask(port, path, payload=b"{}", **kw):
    with Connection(port) as c:
        return c.ask(path, payload, **kw)
