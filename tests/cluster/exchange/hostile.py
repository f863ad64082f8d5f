#!/usr/bin/env python3
"""A worker that harms the parts of an exchange once: REAL is the worker that it starts and passes on
to; HARM says how, MARK is made by whoever does it first."""
import os, struct, subprocess, sys, threading

REAL, HARM, MARK = "@REAL@", "@HARM@", "@MARK@"
CONTROL, DATA = 0, 1
asked = set()


def frames(stream):
    while head := stream.read(9):
        length, kind, request = struct.unpack("<IBI", head)
        yield kind, request, stream.read(length)


def send(stream, kind, request, payload):
    stream.write(struct.pack("<IBI", len(payload), kind, request) + payload)
    stream.flush()


def listen(child):
    for kind, request, payload in frames(sys.stdin.buffer):
        if kind == CONTROL and payload.startswith(b'{"part"'):
            asked.add(request)
        send(child.stdin, kind, request, payload)
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


moved = []


def harmed(data):
    found = segments(data)
    full = [items for items in found if len(items) > 2]
    if not full:
        return data
    if moved:
        full[0].insert(0, moved.pop())
        return joined(found)
    if not first():
        return data
    items = full[0]
    key, text = items[0]
    if HARM == "drop":
        del items[1]
    elif HARM == "double":
        items.insert(1, items[0])
    elif HARM == "move":
        moved.append(items.pop(0))
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
        return b""
    data = joined(found)
    if HARM == "garbage":
        return os.urandom(len(data))
    if HARM == "short":
        return data[:-1]
    if HARM == "long":
        return struct.pack("<Q", 2**63) + data[8:]
    if HARM == "item":
        return data[:8] + b"\xff" * 8 + data[16:]
    return data


def main():
    child = subprocess.Popen([REAL] + sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=listen, args=[child], daemon=True).start()
    held, out = {}, sys.stdout.buffer
    for kind, request, payload in frames(child.stdout):
        if request not in asked:
            send(out, kind, request, payload)
        elif kind == DATA:
            held[request] = held.get(request, b"") + payload
        else:
            if kind != 3 and request in held:
                data = harmed(held.pop(request))
                for at in range(0, len(data), 1 << 17):
                    send(out, DATA, request, data[at : at + (1 << 17)])
            if HARM == "frame" and kind == CONTROL:
                out.write(b"\xff" * 400)
                out.flush()
            send(out, kind, request, payload)
    os._exit(child.wait())


main()
