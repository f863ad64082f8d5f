#!/usr/bin/env python3
"""A worker that harms a part of an exchange once, on either road: REAL is the worker that it starts
and passes on to. What the tool asks for it takes from that and harms on the way; and it listens for
peers in its place, which come through whoever listens at the port TLS and are spoken with plainly,
and gives them what it then takes from that. HARM says how, MARK is made by whoever does it first."""
import json, os, pickle, queue, socket, struct, subprocess, sys, threading

REAL, HARM, MARK = "@REAL@", "@HARM@", "@MARK@"
TLS = "@TLS@"
CONTROL, DATA, END, CREDIT = 0, 1, 2, 3
FRAME, WINDOW = 1 << 17, 1 << 20
# Requests of peers get numbers that the tool does not come to.
OURS = 1 << 31

asked, asked_by_peers, credits, is_mute = set(), {}, {}, False
saying, telling, harming = threading.Lock(), threading.Lock(), threading.RLock()


def frames(stream):
    while head := stream.read(9):
        length, kind, request = struct.unpack("<IBI", head)
        yield kind, request, stream.read(length)


def send(stream, lock, kind, request, payload):
    with lock:
        stream.write(struct.pack("<IBI", len(payload), kind, request) + payload)
        stream.flush()


def listen(child):
    for kind, request, payload in frames(sys.stdin.buffer):
        if kind == CONTROL and HARM == "mute" and payload.startswith(b'{"fetch"') and mute():
            asked.add(request)
            credits[request] = threading.Semaphore(0)
        if kind == CONTROL and payload.startswith(b'{"part"'):
            asked.add(request)
            credits[request] = threading.Semaphore(WINDOW // FRAME)
        if kind == CREDIT and request in credits:
            for _ in range(struct.unpack("<I", payload)[0] // FRAME):
                credits[request].release()
        send(child.stdin, telling, kind, request, payload)
    child.stdin.close()


def segments(data):
    """The items of each segment: pairs of key and text."""
    found = []
    while data:
        (length,) = struct.unpack_from("<Q", data)
        rest, data, items = data[8 : 8 + length], data[8 + length :], []
        while rest:
            key, text = struct.unpack_from("<II", rest)
            items.append((rest[8 : 8 + key], rest[8 + key : 8 + key + text]))
            rest = rest[8 + key + text :]
        found.append(items)
    return found


def joined(found):
    data = b""
    for items in found:
        bytes = b"".join(struct.pack("<II", len(k), len(t)) + k + t for k, t in items)
        data += struct.pack("<Q", len(bytes)) + bytes
    return data


def first():
    try:
        os.close(os.open(MARK, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def mute():
    """Whether this is the worker that gives nothing: the first one that is asked."""
    global is_mute
    with harming:
        is_mute = is_mute or first()
    return is_mute


def put_aside(item):
    """Keeps an item for another range, whichever worker gives the next part."""
    with open(MARK + ".new", "wb") as file:
        pickle.dump(item, file)
    os.rename(file.name, MARK + ".item")


def taken():
    """The item that was put aside, once."""
    mine = f"{MARK}.{os.getpid()}"
    try:
        os.rename(MARK + ".item", mine)
    except FileNotFoundError:
        return None
    with open(mine, "rb") as file:
        return pickle.load(file)


def harmed(data):
    """The data of a part, and whether it was harmed."""
    if HARM == "mute":
        return data, mute()
    found = segments(data)
    full = [items for items in found if len(items) > 2]
    if not full:
        return data, False
    if item := taken():
        # Where it would stand if it were of this range: it is before or behind all of it.
        full[0].insert(0 if item < full[0][0] else len(full[0]), item)
        return joined(found), True
    if not first():
        return data, False
    items = full[0]
    key, text = items[0]
    if HARM == "drop":
        del items[1]
    elif HARM == "double":
        items.insert(1, items[0])
    elif HARM == "move":
        put_aside(items.pop(0))
    elif HARM == "swap":
        del items[1]
        items.insert(1, items[0])
    elif HARM == "text":
        items[0] = key, text.replace(b"7", b"8")[:-1] + b" }"
    elif HARM == "key":
        items[0] = b"\xff" + key, text
    elif HARM == "order":
        items[0], items[2] = items[2], items[0]
    elif HARM == "nothing":
        return b"", True
    data = joined(found)
    if HARM == "garbage":
        data = os.urandom(len(data))
    elif HARM == "short":
        data = data[:-1]
    elif HARM == "long":
        data = struct.pack("<Q", 2**63) + data[8:]
    elif HARM == "item":
        data = data[:8] + b"\xff" * 8 + data[16:]
    return data, True


def give(out, lock, request, data, may_send):
    """Sends a part as it is, or harmed; whether it has an end."""
    with harming:
        data, was_harmed = harmed(data)
    if was_harmed and HARM == "mute":
        return False
    if was_harmed and HARM == "empty":
        for _ in range(1000):
            send(out, lock, DATA, request, b"")
    if was_harmed and HARM == "endless":
        args = [out, lock, request, may_send]
        threading.Thread(target=give_on, args=args, daemon=True).start()
        return False
    for at in range(0, len(data), FRAME):
        send(out, lock, DATA, request, data[at : at + FRAME])
    if was_harmed and HARM == "frame":
        with lock:
            out.write(b"\xff" * 400)
            out.flush()
    return True


def give_on(out, lock, request, may_send):
    try:
        while may_send():
            send(out, lock, DATA, request, bytes(FRAME))
    except OSError:
        pass


def serve(socket, child):
    """Gives a peer the parts that it asks for."""
    lock = threading.Lock()
    try:
        stream = socket.makefile("rwb")
        for _, number, question in frames(stream):
            answer = queue.Queue()
            with telling:
                request = OURS + len(asked_by_peers)
                asked_by_peers[request] = answer
            part = json.loads(question) | {"token": None}
            ask = json.dumps({"part": part}).encode()
            send(child.stdin, telling, CONTROL, request, ask)
            data, kind = b"", DATA
            while kind == DATA:
                kind, payload = answer.get()
                data += payload if kind == DATA else b""
            if kind == CONTROL:
                payload = json.dumps(json.loads(payload)["failed"]).encode()
            if not give(stream, lock, number, data, lambda: True):
                if HARM == "mute":
                    threading.Event().wait()
                return
            send(stream, lock, kind, number, payload)
    except (OSError, ValueError):
        pass


def attend(listener, child):
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0], child], daemon=True).start()


def in_its_place(payload, child):
    """The worker says where it listens: here, instead, behind TLS for as long as this lives."""
    global tls
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=attend, args=[listener, child], daemon=True).start()
    told = json.loads(payload)
    tls = socket.create_connection(("127.0.0.1", int(TLS)))
    tls.sendall(b"%d\n" % listener.getsockname()[1])
    told["listening"] |= json.loads(tls.makefile().readline())
    return json.dumps(told).encode()


def main():
    child = subprocess.Popen([REAL] + sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=listen, args=[child], daemon=True).start()
    held, endless, out = {}, set(), sys.stdout.buffer
    for kind, request, payload in frames(child.stdout):
        if request in asked_by_peers:
            asked_by_peers[request].put((kind, payload))
        elif kind == CONTROL and payload.startswith(b'{"listening"'):
            send(out, saying, kind, request, in_its_place(payload, child))
        elif HARM == "offers" and payload.startswith(b'{"weighed"') and first():
            told = json.loads(payload)
            told["weighed"]["bytes"] = 2**60
            send(out, saying, kind, request, json.dumps(told).encode())
        elif request in endless:
            pass
        elif request not in asked:
            send(out, saying, kind, request, payload)
        elif kind == DATA:
            held[request] = held.get(request, b"") + payload
        elif give(out, saying, request, held.pop(request, b""), credits[request].acquire):
            send(out, saying, kind, request, payload)
        else:
            endless.add(request)
    os._exit(child.wait())


main()
