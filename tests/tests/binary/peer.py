"""A client of the binary protocol in another language, written from FORMATS.md alone: what that page leaves out, it can't do.

Usage: peer.py ADDRESS API_KEY [CA_FILE] < steps.json

Each step is a list of asks that travel in one frame; the answers are printed as one JSON list for each step, in the order of the asks. An
ask whose `target` is a number names the transaction that the ask with that place (counted over all steps) made.
"""

import json
import socket
import ssl
import struct
import sys

HELLO, WELCOME, REQUESTS, ANSWERS, BUSY, GO_AWAY, PING, PONG = range(1, 9)
COMMAND, FIND_BY_ID, FIND_BY_ORDER_ID, FIND_BY_KEY = range(1, 5)
VERBS = {"sale": 1, "authorize": 2, "credit": 3, "verification": 4, "refund": 5, "capture": 6, "void": 7}
STATUSES = (
    "none pending unknown authorized pending_settlement settled declined voided reversed partially_refunded refunded returned"
).split()
ANSWER_KINDS = {1: "outcome", 2: "refused", 3: "invalid", 4: "unavailable"}
STEPS = ("capture", "void", "refund")
AMOUNT_GIVEN = 4
DOLLARS = 840


def table_of_crc32c():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


CRC_TABLE = tuple(table_of_crc32c())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def frame(kind, count, body):
    checked = struct.pack("<BBHI", 1, kind, count, 0) + body
    return struct.pack("<II", 8 + len(checked), crc32c(checked)) + checked


def tail(fields):
    return b"".join(struct.pack("<HH", tag, len(value)) + value for tag, value in sorted(fields.items()))


def card_block(pan, expiry, cvv):
    return struct.pack("<BBBBHH19s4s37s4s", len(pan), len(cvv), 0, 0, expiry, 0, pan.encode(), cvv.encode(), b"", b"")


def command(ask, target):
    verb, is_step = VERBS[ask["verb"]], ask["verb"] in STEPS
    fields = {tag: ask[name].encode() for tag, name in ((3, "order_id"), (7, "key")) if name in ask}
    behind = tail(fields)
    flags = AMOUNT_GIVEN if is_step and "amount" in ask else 0
    head = struct.pack("<IHBB12s12s12s", 128 + len(behind), 1, verb, 2, b"", b"", target)
    money = struct.pack("<IQHBBBBH", flags, ask.get("amount", 0), 0 if is_step else DOLLARS, 1, 1, 0, 0, 0)
    card = b"" if is_step else card_block(ask["card"], 3012, "999")
    return card, head + money + bytes(64) + behind


def request(ask, request_id, target):
    card = b""
    if "verb" in ask:
        kind, (card, body) = COMMAND, command(ask, target)
    elif "find_order_id" in ask:
        kind, body = FIND_BY_ORDER_ID, ask["find_order_id"].encode()
    elif "find_key" in ask:
        kind, body = FIND_BY_KEY, ask["find_key"].encode()
    else:
        kind, body = FIND_BY_ID, target
    return struct.pack("<IBBHQ", 16 + len(card) + len(body), kind, len(card), 0, request_id) + card + body


def outcome(data):
    names = "id parent version verb status response_code amount authorized captured settled refunded created_at rrn".split()
    fields = dict(zip(names, struct.unpack_from("<12s12sIBBHQQQQQq12s", data)))
    return {
        "id": fields["id"].hex(),
        "parent": fields["parent"].hex(),
        "status": STATUSES[fields["status"]],
        "rrn": fields["rrn"].decode(),
        **{name: fields[name] for name in ("amount", "authorized", "captured", "settled", "refunded", "response_code")},
    }


def answers(body):
    at = 0
    while at < len(body):
        size, kind, replayed, code, request_id, found, verb = struct.unpack_from("<IBBHQIB", body, at)
        rest, at = body[at + 24 : at + size], at + size
        answer = {"answer": ANSWER_KINDS[kind], "code": code, "replayed": bool(replayed), "found": found, "verb": verb}
        if kind == 1:
            answer["outcomes"] = [outcome(rest[place : place + 128]) for place in range(0, len(rest), 128)]
        else:
            answer["text"] = rest.decode()
        yield request_id, answer


class Connection:
    def __init__(self, address, api_key, ca_file):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        if ca_file:
            context = ssl.create_default_context(cafile=ca_file)
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        key = api_key.encode()
        self.socket.sendall(frame(HELLO, 0, b"SWYDBIN\n" + struct.pack("<BBHI8s", 1, 1, len(key), 3, b"") + key))
        kind, _, body = self.receive()
        assert kind == WELCOME, (kind, body)
        self.items_max, self.credits = struct.unpack_from("<H", body, 2)[0], struct.unpack_from("<I", body, 20)[0]

    def read(self, count):
        data = b""
        while len(data) < count:
            data += (piece := self.socket.recv(count - len(data)))
            assert piece, "the switch closed the connection"
        return data

    def receive(self):
        head = self.read(16)
        size, crc, version, kind, count, reserved = struct.unpack("<IIBBHI", head)
        body = self.read(size - 16)
        assert (crc, version, reserved) == (crc32c(head[8:] + body), 1, 0), head
        return kind, count, body

    def call(self, asks, first_id, made):
        assert len(asks) <= min(self.items_max, self.credits)
        target = lambda ask: made[ask["target"]] if isinstance(ask.get("target"), int) else bytes.fromhex(ask.get("target", "00" * 12))
        body = b"".join(request(ask, first_id + place, target(ask)) for place, ask in enumerate(asks))
        self.socket.sendall(frame(REQUESTS, len(asks), body))
        answered = {}
        while len(answered) < len(asks):
            kind, count, body = self.receive()
            assert kind == ANSWERS, (kind, body)
            received = list(answers(body))
            assert len(received) == count
            answered.update(received)
        return [answered[first_id + place] for place in range(len(asks))]

    def ping(self):
        self.socket.sendall(frame(PING, 0, b"eight by"))
        assert self.receive() == (PONG, 0, b"eight by")


def main():
    address, api_key, *ca_file = sys.argv[1:]
    connection = Connection(address, api_key, *(ca_file or [None]))
    connection.ping()
    made, asked, result = {}, 0, []
    for asks in json.load(sys.stdin):
        answered = connection.call(asks, asked, made)
        for place, answer in enumerate(answered):
            if answer.get("outcomes"):
                made[asked + place] = bytes.fromhex(answer["outcomes"][0]["id"])
        asked += len(asks)
        result.append(answered)
    json.dump(result, sys.stdout)


main()
