"""Reads what passed between the switch and a card host, by the page docs/card-wire.md alone: what that page leaves out, it can't read.

Usage: card_wire.py PAGE [MAC_KEY_HEX] < pieces.json

The pieces are what was heard, in order: {"connection": n, "by_switch": bool, "hex": "…"}. Prints the messages as JSON, in order, each with its `type`,
`by_switch` and fields; ends with a complaint when anything is not as the page says.
"""

import hashlib
import hmac
import json
import re
import sys

TRACK = re.compile(r"[0-9:;<=>?]*")
ANSWER_OF = {"0100": "0110", "0200": "0210", "0220": "0230", "0221": "0230", "0320": "0330", "0400": "0410", "0420": "0430",
             "0421": "0430", "0500": "0510", "0800": "0810"}
# What an answer repeats as it was sent.
REPEATED = ("3", "7", "11", "12", "13", "37", "41", "42", "49", "70")


def rows(page, head):
    """The rows of the table whose first column is called so."""
    table = page.split(f"| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def read_page(path):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    fields = {number: (form, width) for number, form, width, _ in rows(page, "DE")}
    messages = {}
    for mti, _, said in rows(page, "type"):
        words = said.split()
        messages[mti] = ([word for word in words if "[" not in word], [word.strip("[]") for word in words if "[" in word])
    return fields, messages


class Reader:
    def __init__(self, fields, messages, key):
        self.fields, self.messages, self.key = fields, messages, key

    def message(self, frame):
        mti, at, numbers = frame[:4].decode("ascii"), 4, []
        bitmap = frame[at:at + 8]
        at += 8
        if bitmap[0] & 0x80:
            bitmap += frame[at:at + 8]
            at += 8
        for number in range(2, 8 * len(bitmap) + 1):
            if bitmap[(number - 1) // 8] >> (7 - (number - 1) % 8) & 1:
                numbers.append(str(number))
        assert len(bitmap) == 8 or any(int(number) > 64 for number in numbers), "a second bitmap for nothing"
        found = {"type": mti}
        for number in numbers:
            assert number in self.fields, f"{mti}: DE{number} is not on the page"
            found[number], at = self.field(frame, at, number)
        assert at == len(frame), f"{mti}: {len(frame) - at} bytes behind the last field"
        self.check_fields(mti, numbers)
        self.check_code(frame, found, len(bitmap) == 16)
        return found

    def field(self, frame, at, number):
        form, width = self.fields[number]
        if form == "b":
            return frame[at:at + int(width)].hex(), at + int(width)
        prefix, _, most = width.rpartition(" ")
        length = int(width) if not prefix else int(frame[at:at + len(prefix)])
        at += len(prefix)
        assert not prefix or 1 <= length <= int(most), f"DE{number} is {length} long"
        text = frame[at:at + length].decode("ascii")
        assert len(text) == length, f"DE{number} is cut"
        right = {
            "n": text.isdigit(),
            "an": text.isalnum(),
            "ans": text.isprintable(),
            "z": TRACK.fullmatch(text),
            "x+n": text[0] in "CD" and text[1:].isdigit(),
        }[form]
        assert right, f"DE{number} is no {form}: {len(text)} characters"
        return text, at + length

    def check_fields(self, mti, numbers):
        always, at_times = self.messages[mti]
        codes = {"64", "128"}
        missing = [number for number in always if number not in numbers]
        strange = [number for number in numbers if number not in always and number not in at_times and number not in codes]
        assert not missing and not strange, f"{mti}: {missing} are missing, {strange} are not on the page"

    def check_code(self, frame, found, has_second):
        place = "128" if has_second else "64"
        assert (place in found) == (self.key is not None), f"{found['type']}: DE{place}"
        if self.key is not None:
            code = hmac.new(self.key, frame[:-8], hashlib.sha256).digest()[:8]
            assert found[place] == code.hex(), f"{found['type']}: the code is another one"


def sub_elements(text):
    found = {}
    while text:
        length = int(text[2:5])
        found[text[:2]], text = text[5:5 + length], text[5 + length:]
    order = [tag for tag in ("AD", "ZP", "CV", "EC", "CA", "XI", "PA", "OR") if tag in found]
    assert list(found) == order, f"DE48: {list(found)}"
    return found


class Story:
    """What the messages say of each other."""

    def __init__(self):
        self.asked, self.made = {}, {}

    def take(self, message):
        if "48" in message:
            message["48"] = sub_elements(message["48"])
        name = (message["type"], message["11"], message.get("41"), message["7"])
        if message["type"] in ANSWER_OF:
            self.ask(name, message)
        else:
            asks = [(mti, *name[1:]) for mti, answer in ANSWER_OF.items() if answer == message["type"]]
            asked = next((self.asked[ask] for ask in asks if ask in self.asked), None)
            assert asked is not None, f"{name} answers nothing that was asked"
            other = [number for number in REPEATED if number in message and message[number] != asked.get(number)]
            assert not other, f"{name} repeats {other} otherwise than they were asked"

    def ask(self, name, message):
        # Totals behind an upload have the name of those before it: it is the last ones that are answered.
        self.asked[name] = message
        if message["type"] in ("0100", "0200"):
            self.made[(message["type"], message["11"], message["7"])] = message
        if message["type"] in ("0421", "0221"):
            once = self.asked.get((message["type"][:3] + "0", *name[1:]))
            same = once is not None and all(once[number] == message[number] for number in message if number.isdigit() and number not in ("64", "128"))
            assert same, f"{name} repeats nothing"
        assert message["7"][:4] == message["13"] and message["7"][4:] == message["12"]
        if "90" in message:
            original = message["90"]
            maker = self.made.get((original[:4], original[4:10], original[10:20]))
            assert maker is not None and original[20:] == "00000000001" + 11 * "0", f"{name} refers to {original}"
            assert (maker["37"], maker["41"]) == (message["37"], message["41"]), f"{name} is of another transaction"


def main():
    fields, messages = read_page(sys.argv[1])
    reader = Reader(fields, messages, bytes.fromhex(sys.argv[2]) if len(sys.argv) > 2 else None)
    story, waiting, told = Story(), {}, []
    for piece in json.load(sys.stdin):
        way = (piece["connection"], piece["by_switch"])
        waiting[way] = waiting.get(way, b"") + bytes.fromhex(piece["hex"])
        while len(waiting[way]) >= 2:
            length = int.from_bytes(waiting[way][:2], "big")
            assert 1 <= length <= 4096, f"a length of {length}"
            if len(waiting[way]) < 2 + length:
                break
            frame, waiting[way] = waiting[way][2:2 + length], waiting[way][2 + length:]
            message = reader.message(frame)
            story.take(message)
            told.append({"by_switch": piece["by_switch"], **message})
    assert not any(waiting.values()), "a message is cut"
    json.dump(told, sys.stdout)


main()
