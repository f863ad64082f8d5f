"""usage: serve.py SOCKET HERE SPARK_SUBMIT_OPTION...

One Spark for many calls of mc-spark, each of which would start its own: whoever connects to SOCKET sends the
line of a pipeline, where it is run and its standard streams, and is told the exit status. HERE is where the
tools are. Ends with its standard input.
"""
import array
import json
import os
import pathlib
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "spark"))

from mc_spark import files  # noqa: E402
from mc_spark.command import Session, steps_of  # noqa: E402
from mc_spark.failure import Failed  # noqa: E402

# So that what is small is many partitions, too.
files.PART_MIN = 64


def received(connection):
    """What was asked, and the streams that came with it."""
    fds = array.array("i")
    message, passed, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * fds.itemsize))
    for _, _, data in passed:
        fds.frombytes(data)
    while not message.endswith(b"\n"):
        message += connection.recv(1 << 20)
    return json.loads(message), list(fds)


def answer(session, here, connection):
    asked, (stdin, stdout, stderr) = received(connection)
    kept = dict(os.environ)
    with os.fdopen(stdin, "rb") as given, os.fdopen(stderr, "w") as told:
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        try:
            code, lines = 0, session.run(steps_of(asked["line"], here), given, stdout)
        except Failed as failed:
            code, lines = failed.code, failed.lines
        except Exception as error:  # what no call of mc-spark should show
            code, lines = 70, [f"{type(error).__name__}: {error}"]
        finally:
            os.close(stdout)
            os.environ.clear()
            os.environ.update(kept)
            os.chdir("/")
        told.writelines(line + "\n" for line in lines)
    connection.sendall(f"{code}\n".encode())


def ends():
    """Ends with whoever started this."""
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    path, here, submit = sys.argv[1], sys.argv[2], sys.argv[3:]
    session = Session(submit, os.environ.get("SPARK_LOG"), here)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    threading.Thread(target=ends, daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            answer(session, here, connection)


main()
