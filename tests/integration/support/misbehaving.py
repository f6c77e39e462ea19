"""A proxy between forkfs and the S3 server that can be told to misbehave."""
import http.client
import http.server
import socket
import ssl
import struct
import threading
import time
import urllib.parse

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Welcome!<br></body></html>"
XML = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>no</Message></Error>'
FOREVER = 1 << 60


class Disconnect(Exception):
    """The connection ends without (more of) an answer."""

    def __init__(self, with_reset=False):
        super().__init__()
        self.with_reset = with_reset


class Fault:
    """What goes wrong with which requests; subclasses say how. Does what is right by itself.

    Those of some methods, with a text in their path; `times` of them, `after` so many that go well.
    """

    def __init__(self, methods=None, match="", times=FOREVER, after=0):
        self.methods = methods
        self.match = match
        self.times = times
        self.after = after

    def concerns(self, method, path):
        return (not self.methods or method in self.methods) and self.match in urllib.parse.unquote(path)

    def play(self, exchange):
        exchange.answer(exchange.forward())


class Answer(Fault):
    """Answers by itself; with `applied`, after the server has done what was asked of it."""

    def __init__(self, status, body, *, kind="application/xml", headers=(), applied=False, **which):
        super().__init__(**which)
        self.reply = Reply(status, [("Content-Type", kind), *headers], body)
        self.applied = applied

    def play(self, exchange):
        if self.applied:
            exchange.forward()
        exchange.answer(self.reply)


def error(status, code, **settings):
    """An error in the words of S3."""
    return Answer(status, XML.format(code).encode(), **settings)


def page(status, **settings):
    """What a proxy of a company, a hotel, or a load balancer may answer."""
    return Answer(status, HTML, kind="text/html", **settings)


def redirect(status, location, **settings):
    return error(status, "PermanentRedirect", headers=[("Location", location)], **settings)


class Hang(Fault):
    """No answer, until it is well again."""

    def play(self, exchange):
        exchange.proxy.well.wait()
        raise Disconnect()


class Reset(Fault):
    """A reset connection, with `applied` after the server has done what was asked of it."""

    def __init__(self, applied=False, **which):
        super().__init__(**which)
        self.applied = applied

    def play(self, exchange):
        if self.applied:
            exchange.forward()
        raise Disconnect(with_reset=True)


class Truncate(Fault):
    """An answer that ends in its body, or when it has none, in its first line."""

    def play(self, exchange):
        reply = exchange.forward()
        text = reply.text(exchange.method)
        exchange.send(text[:len(text) - (len(reply.body) + 1) // 2] if reply.body else text[:8])
        raise Disconnect()


class Drip(Fault):
    """The answer comes byte by byte, `pause` seconds between them."""

    def __init__(self, pause, **which):
        super().__init__(**which)
        self.pause = pause

    def play(self, exchange):
        text = exchange.forward().text(exchange.method)
        for position in range(len(text)):
            exchange.send(text[position:position + 1])
            exchange.proxy.well.wait(self.pause)


class Delay(Fault):
    """Everything works, `seconds` later."""

    def __init__(self, seconds, **which):
        super().__init__(**which)
        self.seconds = seconds

    def play(self, exchange):
        time.sleep(self.seconds)
        exchange.answer(exchange.forward())


class ArriveLate(Fault):
    """Of every other object the first request is kept back, as by a network that loses its way; the server gets it with
    arrive(). Repetitions get through."""

    def __init__(self, **which):
        super().__init__(**which)
        self.seen = set()  # paths
        self.kept = []  # exchanges that wait
        self.lock = threading.Lock()
        self.arriving = threading.Event()
        self.arrived = threading.Semaphore(0)

    def play(self, exchange):
        with self.lock:
            keeps = exchange.path not in self.seen and len(self.seen) % 2 == 0
            self.seen.add(exchange.path)
            if keeps:
                self.kept.append(exchange)
        if keeps:
            self.arriving.wait()
        try:
            reply = exchange.forward()
        finally:
            if keeps:
                self.arrived.release()
        exchange.answer(reply)

    def arrive(self):
        """Lets all through that has been kept back; returns when the server has answered it."""
        self.arriving.set()
        for _ in self.kept:
            self.arrived.acquire()


class Noise(Fault):
    """An answer that is not HTTP."""

    def play(self, exchange):
        exchange.send(b"SSH-2.0-OpenSSH_9.2p1\r\n\0\xff\r\n\r\n")
        raise Disconnect()


class WithoutPreconditions(Fault):
    """A server that does not know them. It gets no signature either, since that covers them: the bucket
    must be open to the public."""

    hidden = ("authorization", "if-match", "if-none-match")

    def play(self, exchange):
        headers = [(name, value) for name, value in exchange.headers.items()
                   if name.lower() not in self.hidden]
        exchange.answer(exchange.forward(headers))


class Reply:
    """An answer of HTTP."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def text(self, method):
        """As it goes over the wire; after HEAD without the body."""
        head = f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Unknown')}\r\n"
        names = {name.lower() for name, _ in self.headers}
        if "content-length" not in names and self.status not in (204, 304):
            head += f"Content-Length: {len(self.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return head.encode("latin-1") + b"\r\n" + (b"" if method == "HEAD" else self.body)


class Exchange(http.server.BaseHTTPRequestHandler):
    """One connection of a client, request by request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.proxy = self.server.proxy
        self.upstream = http.client.HTTPConnection(self.proxy.host, self.proxy.port, timeout=60)

    def finish(self):
        self.upstream.close()
        super().finish()

    def log_message(self, *_):
        """Says nothing."""

    def relay(self):
        self.method = self.command
        self.request_body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.fault_for(self.method, self.path)
        try:
            fault.play(self)
        except Disconnect as end:
            self.close_connection = True
            if end.with_reset:
                linger_for_0_s = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_0_s)
                self.rfile.close()  # it holds the connection, too
                self.connection.close()
        except OSError:
            self.close_connection = True  # the client has given up, or the server

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = relay

    def forward(self, headers=None):
        """Has the server do it, and returns its answer."""
        self.upstream.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers or self.headers.items():
            if name.lower() != "expect":
                self.upstream.putheader(name, value)
        self.upstream.endheaders(self.request_body)
        answer = self.upstream.getresponse()
        body = answer.read()
        kept = [(name, value) for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "keep-alive")]
        return Reply(answer.status, kept, body)

    def answer(self, reply):
        self.send(reply.text(self.method))

    def send(self, text):
        self.connection.sendall(text)


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, proxy, port):
        self.proxy = proxy
        self.connections = set()
        super().__init__(("127.0.0.1", port), Exchange)
        if proxy.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(proxy.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients that go away are nothing to report."""


class MisbehavingProxy:
    """Passes all on to the server at `target`, until misbehave().

    With a certificate (a file that also has its key), clients must come by https.
    """

    def __init__(self, target, certificate=None):
        parts = urllib.parse.urlsplit(target)
        self.host, self.port = parts.hostname, parts.port
        self.certificate = certificate  # of connections from the next open() on
        self.lock = threading.Lock()
        self.fault = None
        self.concerned = 0  # requests that the fault is about
        self.requests = []  # (method, path) of each
        self.well = threading.Event()
        self.well.set()
        self.listener = None
        self.open(0)
        self.own_port = self.listener.server_address[1]

    @property
    def endpoint(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.own_port}"

    def open(self, port):
        self.listener = Listener(self, port)
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Refuses connections, and ends those that are there."""
        if self.listener is None:
            return
        listener, self.listener = self.listener, None
        listener.shutdown()
        listener.server_close()
        for connection in list(listener.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def misbehave(self, fault):
        with self.lock:
            self.fault = fault
            self.concerned = 0
            self.well.clear()

    def refuse(self):
        self.close()

    @property
    def fired(self):
        """How many requests have gone wrong."""
        with self.lock:
            return min(max(self.concerned - self.fault.after, 0), self.fault.times) if self.fault else 0

    def behave(self):
        """All is well again."""
        with self.lock:
            self.fault = None
            self.well.set()
        if self.listener is None:
            self.open(self.own_port)

    def fault_for(self, method, path):
        with self.lock:
            self.requests.append((method, path))
            if self.fault and self.fault.concerns(method, path):
                self.concerned += 1
                if self.fault.after < self.concerned <= self.fault.after + self.fault.times:
                    return self.fault
        return Fault()

    def stop(self):
        self.behave()
        self.close()
