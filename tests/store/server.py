"""A store on loopback for the tests: S3 by moto, with what a real one does and moto does not in front.

Requests have to be signed, by signatures that are worked out here once more, unless the bucket is called
"public" or "gs" and something: Google's XML is that of S3, in another order of who asks. Some things can be asked of it by paths below /_front/: to fail a number of times, to fail the
requests for one key, and what was asked so far. It ends when its standard input does.
"""

import hashlib
import hmac
import logging
import sys
import threading
import urllib.parse

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

SECRETS = {"id": "secret", "id2": "secret2"}
TOKENS = {"id2": "token"}
OPEN = ("/public", "/gs")
FAILING = []
LOG = []
LOCK = threading.Lock()


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, scope, date, canonical):
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = digest(key, part)
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return digest(key, "\n".join(["AWS4-HMAC-SHA256", date, scope, hashed])).hex()


def header(environ, name):
    name = name.upper().replace("-", "_")
    return environ.get(name if name.startswith("CONTENT_") else "HTTP_" + name, "").strip()


def canonical(environ, path, query, signed, payload):
    quote = lambda text: urllib.parse.quote(text, safe="-_.~")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    pairs = sorted((quote(n), quote(v)) for n, v in pairs if n != "X-Amz-Signature")
    path = "/".join(quote(urllib.parse.unquote(part)) for part in path.split("/"))
    headers = "".join(f"{name}:{header(environ, name)}\n" for name in signed)
    parts = [environ["REQUEST_METHOD"], path, "&".join(f"{n}={v}" for n, v in pairs)]
    return "\n".join(parts + [headers, ";".join(signed), payload])


def refusal(environ, path, query):
    """Why a request is refused: a status and a code, or nothing."""
    words = header(environ, "authorization")
    asked = dict(urllib.parse.parse_qsl(query))
    if words.startswith("AWS4-HMAC-SHA256 "):
        words = dict(word.strip().split("=", 1) for word in words.split(" ", 1)[1].split(","))
        credential, signed, given = words["Credential"], words["SignedHeaders"], words["Signature"]
        payload, date = header(environ, "x-amz-content-sha256"), header(environ, "x-amz-date")
        token = header(environ, "x-amz-security-token")
    elif "X-Amz-Signature" in asked:
        credential, signed, given = (asked["X-Amz-" + n] for n in ("Credential", "SignedHeaders", "Signature"))
        payload, date, token = "UNSIGNED-PAYLOAD", asked["X-Amz-Date"], asked.get("X-Amz-Security-Token", "")
    else:
        if not urllib.parse.unquote(path).startswith(OPEN):
            return 403, "AccessDenied"
        # By itself moto would not give it to nobody.
        # Google's crate encodes all that is no letter, which moto does not expect of buckets.
        environ["PATH_INFO"] = urllib.parse.unquote(path)
        plain = urllib.parse.quote(environ["PATH_INFO"], safe="/-_.~")
        environ["RAW_URI"] = environ["REQUEST_URI"] = plain + ("?" + query if query else "")
        scope = "id/20260101/us-east-1/s3/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=, Signature="
        return None
    who, scope = credential.split("/", 1)
    if who not in SECRETS or TOKENS.get(who, "") != token:
        return 403, "InvalidAccessKeyId"
    region = scope.split("/")[1]
    if path.startswith("/elsewhere/") and region != "eu-west-1":
        return 400, "AuthorizationHeaderMalformed"
    text = canonical(environ, path, query, signed.split(";"), payload)
    if signature(SECRETS[who], scope, date, text) != given:
        return 403, "SignatureDoesNotMatch"
    return None


class Front:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        path, _, query = environ.get("REQUEST_URI", environ["RAW_URI"]).partition("?")
        if path.startswith("/_front/"):
            return self.told(path[len("/_front/"):], query, start_response)
        with LOCK:
            LOG.append(f"{environ['REQUEST_METHOD']} {path} {header(environ, 'range')}".strip())
            failing = [fault for fault in FAILING if fault["path"] in path and fault["method"] in environ["REQUEST_METHOD"]]
            if failing:
                failing[0]["count"] -= 1
                if failing[0]["count"] == 0:
                    FAILING.remove(failing[0])
        if failing and failing[0]["status"]:
            return self.error(failing[0]["status"], failing[0]["code"], start_response)
        if refused := refusal(environ, path, query):
            return self.error(*refused, start_response)
        if not failing:
            try:
                return self.app(environ, start_response)
            except (KeyError, ValueError):
                # A part of an upload that was given up meanwhile.
                return self.error(404, "NoSuchUpload", start_response)

        def cut(status, headers, *rest):
            return start_response(status, headers, *rest)

        # The head of the answer is true, and the body breaks off.
        return [b"".join(self.app(environ, cut))[:10]]

    def error(self, status, code, start_response):
        message = "the region 'us-east-1' is wrong; expecting 'eu-west-1'" if status == 400 else "No."
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        start_response(f"{status} {code}", [("Content-Length", str(len(body)))])
        return [body.encode()]

    def told(self, what, query, start_response):
        asked = dict(urllib.parse.parse_qsl(query))
        body = ""
        with LOCK:
            if what == "fail":
                fault = {"path": asked["path"], "method": asked.get("method", ""), "count": int(asked["count"])}
                fault.update(status=int(asked.get("status", 0)), code=asked.get("code", "InternalError"))
                FAILING.append(fault)
            elif what == "log":
                body = "".join(line + "\n" for line in LOG if asked["path"] in line)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body.encode()]


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, Front(DomainDispatcherApplication(create_backend_app)), True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
