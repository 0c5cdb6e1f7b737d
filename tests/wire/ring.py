"""A ring of peekd (src/shm/ring.h) as a client has it: put and take, and every wrong thing that a client can do with it."""
import array
import mmap
import os
import socket
import threading
import time

TAIL_UP, TAIL_DOWN, HEAD_UP, HEAD_DOWN, CLIENT_AWAITS, DAEMON_AWAITS = (128 * i for i in range(6))
RING_BYTES = 65536
UP_AT, DOWN_AT, TOTAL_BYTES = 4096, 4096 + RING_BYTES, 4096 + 2 * RING_BYTES
AWAITS_BYTES, AWAITS_ROOM = 1, 2


class Refused(Exception):
    pass


class Ring:
    def __init__(self, sock, version=1, behind=b""):
        """Asks for a ring on a connected socket. behind: bytes that are sent with the request."""
        self.sock = sock
        sock.sendall(b"peek_ring %d\r\n" % version + behind)
        line, fds = b"", array.array("i")
        sock.settimeout(10)
        while not line.endswith(b"\n"):
            more, ancillary, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(4))
            if not more:
                raise Refused("hung up")
            line += more
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        self.line = line
        if not line.startswith(b"RING "):
            raise Refused(line.decode())
        assert len(fds) == 1, "one descriptor comes with it"
        self.fd = fds[0]
        assert os.fstat(self.fd).st_size == TOTAL_BYTES
        self.mem = mmap.mmap(self.fd, TOTAL_BYTES)
        self.fence = threading.Lock()
        self.words = memoryview(self.mem).cast("Q")
        self.n_put = self.n_taken = 0

    def word(self, at, value=None):
        """Loads or stores all of the word at once, which struct doesn't."""
        if value is not None:
            self.words[at // 8] = value & (2**64 - 1)
        return self.words[at // 8]

    def bell(self):
        with self.fence:  # between the tail and the flag
            pass
        if self.word(DAEMON_AWAITS) & AWAITS_BYTES:
            self.word(DAEMON_AWAITS, 0)
            self.sock.send(b"\n")

    def put(self, data, patience_s=10.0):
        """All of it; waits for room."""
        end = time.monotonic() + patience_s
        while data:
            room = RING_BYTES - (self.n_put - self.word(HEAD_UP))
            piece = data[:room]
            at = self.n_put % RING_BYTES
            first = piece[:RING_BYTES - at]
            self.mem[UP_AT + at:UP_AT + at + len(first)] = first
            rest = piece[len(first):]
            self.mem[UP_AT:UP_AT + len(rest)] = rest
            self.n_put += len(piece)
            self.word(TAIL_UP, self.n_put)
            data = data[len(piece):]
            self.bell()
            if data and not piece:
                if time.monotonic() > end:
                    raise TimeoutError("no room")
                time.sleep(0.0005)

    def take(self):
        """What is there."""
        n = self.word(TAIL_DOWN) - self.n_taken
        at = self.n_taken % RING_BYTES
        got = self.mem[DOWN_AT + at:DOWN_AT + min(at + n, RING_BYTES)]
        got += self.mem[DOWN_AT:DOWN_AT + n - len(got)]
        self.n_taken += n
        self.word(HEAD_DOWN, self.n_taken)
        with self.fence:
            pass
        if n and self.word(DAEMON_AWAITS) & AWAITS_ROOM:
            self.word(DAEMON_AWAITS, 0)
            self.sock.send(b"\n")
        return got

    def read(self, end, patience_s=10.0):
        """Until what came ends so."""
        got, until = b"", time.monotonic() + patience_s
        while not got.endswith(end):
            got += self.take()
            if time.monotonic() > until:
                raise TimeoutError("%r" % got[-200:])
        return got

    def ask(self, request, end=b"\r\n"):
        self.put(request)
        return self.read(end)

    def hung_up(self, patience_s=10.0):
        """Whether the daemon closes the connection."""
        self.sock.settimeout(patience_s)
        try:
            while self.sock.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.words.release()
        self.mem.close()
        os.close(self.fd)
        self.sock.close()
