"""Reads a file for a bank by the Nacha rules' tables of fields (positions count from 1), and checks what its records say of each other.

Usage: bank_file.py < FILE

Prints header, batches and entries as JSON; ends with a complaint when a bank would refuse the file.
"""

import datetime
import json
import re
import sys

WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7, 1)
DEBITS, CREDITS = ("27", "37"), ("22", "32")
ALLOWED = re.compile(r"[0-9A-Za-z .,/()&'<>;:#$%=@?!+_~*-]*")


def digits(record, first, last):
    text = record[first - 1:last]
    assert text.isdigit(), f"{first}-{last} of {record!r} are no digits"
    return int(text)


def check_digit(number):
    weighted = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number))
    assert len(number) == 9 and number.isdigit() and weighted % 10 == 0, f"{number} is no routing number"


def day(text):
    return datetime.datetime.strptime(text, "%y%m%d").date()


def header(record):
    assert record[:3] == "101" and record[34:40] == "094101" and re.fullmatch("[A-Z0-9]", record[33]), record
    destination, origin = record[3:13], record[13:23]
    assert destination[0] == " " and (origin[0] == " " or " " not in origin), f"{destination!r}, {origin!r}"
    check_digit(destination[1:])
    datetime.datetime.strptime(record[29:33], "%H%M")
    assert record[40:63].strip() and record[63:86].strip(), "the names are missing"
    return {"destination": destination.strip(), "origin": origin.strip(), "modifier": record[33], "created": str(day(record[23:29]))}


def batch(record, number, created):
    sec, effective = record[50:53], day(record[69:75])
    assert record[1:4] in ("200", "220", "225") and sec in ("WEB", "TEL", "PPD", "CCD"), record
    assert record[4:20].strip() and record[40:50].strip() and record[53:63].strip(), f"a batch of nobody for nothing: {record}"
    assert effective > created and effective.weekday() < 5, f"effective {effective}, created {created}"
    assert record[75:78] == "   " and record[78] == "1" and digits(record, 88, 94) == number, record
    return {"service": record[1:4], "sec": sec, "company": record[4:20].strip(), "effective": str(effective), "odfi": record[79:87],
            "company_id": record[40:50], "entries": []}


def entry(record, of, last_trace):
    code, amount, trace = record[1:3], digits(record, 30, 39), digits(record, 80, 94)
    assert code in DEBITS + CREDITS and amount > 0, record
    assert of["service"] == "200" or (of["service"] == "225") == (code in DEBITS), f"{code} in a batch {of['service']}"
    check_digit(record[3:12])
    assert re.fullmatch(r"[0-9A-Za-z-]+ *", record[12:29]), "the account is not at its field's left"
    assert record[54:76].strip(), f"nobody's account: {record}"
    series = record[76:78]
    assert series in (("S ", "R ") if of["sec"] in ("WEB", "TEL") else ("  ",)), f"{of['sec']} with {series!r}"
    assert of["sec"] not in ("WEB", "TEL") or code in DEBITS, f"a credit in {of['sec']}"
    assert f"{trace:015}"[:8] == of["odfi"] and trace > last_trace, f"trace number {trace} behind {last_trace}"
    assert record[78] in "01", record
    return {"code": code, "routing": record[3:12], "account": record[12:29].strip(), "amount": amount, "id": record[39:54].strip(),
            "name": record[54:76].strip(), "trace": trace, "addenda": int(record[78])}


def sums(entries):
    count = sum(1 + one["addenda"] for one in entries)
    hashed = sum(int(one["routing"][:8]) for one in entries) % 10**10
    of = lambda codes: sum(one["amount"] for one in entries if one["code"] in codes)
    return [count, hashed, of(DEBITS), of(CREDITS)]


def read(text):
    assert text.endswith("\n"), "the last record is cut"
    records = text[:-1].split("\n")
    assert all(len(record) == 94 and ALLOWED.fullmatch(record) for record in records), "94 characters of Nacha's set a record"
    assert len(records) % 10 == 0, f"{len(records)} records are no blocks of ten"
    told, batches, trace, rest = header(records[0]), [], 0, iter(records[1:])
    for record in rest:
        if record[0] == "9":
            break
        assert record[0] == "5", f"a batch was to begin: {record}"
        of = batch(record, len(batches) + 1, day(records[0][23:29]))
        batches.append(of)
        for record in rest:
            if record[0] == "8":
                break
            if record[0] == "7":
                assert record[1:3] == "05" and digits(record, 88, 94) == trace % 10**7 and of["entries"][-1]["addenda"] == 1, record
                continue
            assert record[0] == "6", f"an entry was to come: {record}"
            of["entries"].append(entry(record, of, trace))
            trace = of["entries"][-1]["trace"]
        stated = [digits(record, 5, 10), digits(record, 11, 20), digits(record, 21, 32), digits(record, 33, 44)]
        assert of["entries"] and stated == sums(of["entries"]), f"batch {len(batches)} states {stated}"
        assert (record[1:4], record[44:54], record[79:87]) == (of["service"], of["company_id"], of["odfi"]), record
        assert digits(record, 88, 94) == len(batches), record
    entries = [one for of in batches for one in of["entries"]]
    assert digits(record, 2, 7) == len(batches) > 0 and digits(record, 8, 13) == len(records) // 10, record
    stated = [digits(record, 14, 21), digits(record, 22, 31), digits(record, 32, 43), digits(record, 44, 55)]
    assert stated == sums(entries) and not record[55:].strip(), f"the file states {stated}"
    assert all(filler == "9" * 94 for filler in rest), "something stands behind the file's control"
    return {**told, "batches": batches}


json.dump(read(sys.stdin.read()), sys.stdout)
