#!/usr/bin/env python3
"""A worker that breaks the rules once: REAL is the worker that it starts and passes on to, and HARM
says what it does when it is to say that a task is done. MARK is made by whoever does it first; what
the tool then says to questions of ours is written to MARK.heard."""
import base64, json, os, struct, subprocess, sys, threading

REAL, HARM, MARK = "@REAL@", "@HARM@", "@MARK@"
PATHS = @PATHS@
# The requests whose answer is harmed: nobody takes data of those that are no tasks.
HARMED = b'{"ship"' if HARM in ("flood", "empty") else b'{"task"'
CONTROL, DATA, END = 0, 1, 2
FRAME, WINDOW = 1 << 17, 1 << 20
# The bit of the numbers of a worker's requests, and how many of them may be open.
OURS, OPEN_MAX = 1 << 31, 64

saying, tasks, open_asks, answered = threading.Lock(), set(), set(), threading.Event()


def frames(stream):
    while head := stream.read(9):
        length, kind, request = struct.unpack("<IBI", head)
        yield kind, request, stream.read(length)


def write(stream, kind, request, payload):
    stream.write(struct.pack("<IBI", len(payload), kind, request) + payload)
    stream.flush()


def send(kind, request, message):
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    with saying:
        write(sys.stdout.buffer, kind, request, payload)


def raw(*words):
    with saying:
        sys.stdout.buffer.write(struct.pack("<IBI", *words))
        sys.stdout.flush()


def first():
    try:
        os.close(os.open(MARK, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def listen(child):
    for kind, request, payload in frames(sys.stdin.buffer):
        if kind == CONTROL and payload.startswith(HARMED):
            tasks.add(request)
        if request in open_asks:
            if kind == CONTROL:
                with open(MARK + ".heard", "ab") as heard:
                    heard.write(payload + b"\n")
            if kind == CONTROL and b'"opened"' not in payload:
                open_asks.discard(request)
                if not open_asks:
                    answered.set()
        elif not request & OURS or HARM not in ("reads", "crowd", "more", "less"):
            write(child.stdin, kind, request, payload)
    child.stdin.close()


def ask(number, what):
    open_asks.add(number)
    send(CONTROL, number, {"client": what})


def name(path):
    return base64.b64encode(path.encode()).decode()


def read(path):
    return {"read": {"path": name(path), "known": None}}


held = []


def harm(request, payload):
    """Says something else of a task than that it is done; whether what is true is to be said, too."""
    if HARM == "length":
        raw(1 << 31, DATA, request)
    elif HARM == "kind":
        raw(0, 9, request)
    elif HARM == "packed":
        send(5, request, os.urandom(60))
    elif HARM == "garbage":
        send(CONTROL, request, b"\xff" * 50)
    elif HARM == "reply":
        send(CONTROL, request, b'"sent"')
        return False
    elif HARM == "unknown":
        send(CONTROL, request + 100_000, payload)
        send(DATA, request + 100_000, b"1\n")
        send(END, request + 100_000, b"")
    elif HARM == "twice":
        send(CONTROL, request, payload)
    elif HARM == "flood":
        for _ in range(2 * WINDOW // FRAME):
            send(DATA, request, bytes(FRAME))
    elif HARM == "empty":
        while True:
            send(DATA, request, b"")
    elif HARM == "swap":
        held.append((request, payload))
        return False
    elif HARM == "number":
        send(CONTROL, 3, {"client": read("/etc/passwd")})
    elif HARM == "crowd":
        for number in range(4 * OPEN_MAX + 1):
            ask(OURS + number, read(PATHS[0]))
    elif HARM == "reads":
        asks = [read(path) for path in PATHS]
        asks += [{"may_write": name(path)} for path in PATHS]
        asks += [{"write": {"path": name(path), "bytes": 0}} for path in PATHS]
        open_asks.update(OURS + 1000 + number for number in range(len(asks)))
        for number, what in enumerate(asks):
            ask(OURS + 1000 + number, what)
            if "write" in what:
                send(END, OURS + 1000 + number, b"")
        answered.wait()
    elif HARM in ("more", "less"):
        ask(OURS + 7, {"write": {"path": name(PATHS[0]), "bytes": 10}})
        send(DATA, OURS + 7, b"x" * (20 if HARM == "more" else 5))
        send(END, OURS + 7, b"")
        answered.wait()
    elif HARM == "said":
        send(CONTROL, 0, {"said": "\x1b]0;owned\x07 \x1b[31mred\u202e\n"})
    elif HARM == "failed":
        failed = {"code": 1, "text": "\x1b[2Jbad\u202e\r", "by_command": True, "record": None}
        send(CONTROL, request, {"failed": failed | {"last_words": ["\x1b[31mred"], "passed": 0}})
        return False
    return True


def greeting(payload):
    told = json.loads(payload)
    if HARM == "slots":
        told["hello"]["slots"] = 1 << 31
    elif HARM == "no slots":
        told["hello"]["slots"] = 0
    elif HARM == "version":
        told["hello"] |= {"protocol": 1, "version": "\x1b[31m1"}
    elif HARM == "table":
        told["hello"]["arch"] = "\x1b[31mred"
    return json.dumps(told).encode()


def main():
    child = subprocess.Popen([REAL] + sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=listen, args=[child], daemon=True).start()
    of_greeting = HARM in ("slots", "no slots", "version", "table")
    for kind, request, payload in frames(child.stdout):
        is_done = kind == CONTROL and request in tasks and payload.startswith(b'{"done"')
        if kind == CONTROL and payload.startswith(b'{"hello"') and of_greeting and first():
            payload = greeting(payload)
        elif is_done and held:
            (other, its), held[:] = held[0], []
            send(CONTROL, other, payload)
            payload = its
        elif is_done and not of_greeting and first() and not harm(request, payload):
            continue
        send(kind, request, payload)
    os._exit(child.wait())


main()
