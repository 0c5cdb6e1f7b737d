#!/usr/bin/python3
"""The reading lists of ARCHITECTURE are true: the files exist, no list is longer than its heading says, and a reader who starts at
the functions of the heading meets no function that is defined in a file outside the list, apart from the named helpers."""
import collections
import fnmatch
import glob
import re
import sys

WORDS = {"__attribute__", "__asm__", "sizeof", "offsetof", "if", "for", "while", "switch", "return"}
n = failed = 0


def result(good, what, why=()):
    global n, failed
    n += 1
    failed |= not good
    print(f"{'ok' if good else 'not ok'} {n} - {what}")
    for line in why:
        print(f"# {line}")


def functions():
    """Each function's bodies by file: {name: {file: body}}. A definition begins in the first column, as .clang-format has it."""
    found = collections.defaultdict(dict)
    for file in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
        text = re.sub(r"/\*.*?\*/", "", open(file).read(), flags=re.S)
        lines = re.sub(r'"(\\.|[^"\\\n])*"', '""', text).split("\n")
        at = 0
        while at < len(lines):
            name = re.match(r"(?:WIDE\()?([a-z_]\w*)\)?\(", lines[at])
            if (not name or name[1] in WORDS) and re.match(r"[a-z_]", lines[at]):
                name = re.match(r"(?:static |inline |const |struct |__attribute__\(\(.*?\)\) ).*?\b([a-z]\w*)\(", lines[at])
            if name and name[1] not in WORDS:
                begin = at
                while at < len(lines) and not lines[at].startswith("{") and not lines[at].endswith(";") and lines[at]:
                    at += 1
                if at < len(lines) and lines[at].startswith("{"):
                    body = at
                    while not lines[at].startswith("}"):
                        at += 1
                    found[name[1]][file] = "\n".join(lines[body:at])
                else:
                    at = begin
            at += 1
    return found


def walk(found, entries, files, helpers):
    """The functions met outside of the files, and the helpers that were met."""
    outside, used, seen = set(), set(), set()
    todo = [(e, f) for e in entries for f in found[e]]
    while todo:
        name, file = todo.pop()
        if (name, file) in seen:
            continue
        seen.add((name, file))
        for callee in set(re.findall(r"\b[a-z_]\w*\b", found[name][file])) & found.keys():
            homes = [file] if file in found[callee] else [f for f in found[callee] if f in files]
            if homes:
                todo += [(callee, f) for f in homes]
                continue
            matching = [h for h in helpers if fnmatch.fnmatchcase(callee, h)]
            used.update(matching)
            if not matching:
                outside.add(f"{callee}() of {', '.join(found[callee])}, met in {name}()")
    return outside, used


found = functions()
text = open("ARCHITECTURE.md").read()
lists = re.findall(r"^### (.*?), at most (\d+) files\n(.*?)(?=^##)", text, flags=re.S | re.M)
result([int(limit) for _, limit, _ in lists] == [6, 9, 6, 6], "there are lists of at most 6, 9, 6 and 6 files")
for heading, limit, body in lists:
    what, entries = heading.split(":")[0], re.findall(r"`(\w+)`", heading)
    files = re.findall(r"^\d+\. `([^`]+)`: ", body, flags=re.M)
    helpers = re.findall(r"`([a-z_]+\*?)`", body[body.index("Helpers:"):])
    result(0 < len(files) <= int(limit), f"{what}: {len(files)} files, at most {limit}")
    gone = [f for f in files if not glob.glob(f)]
    result(not gone, f"{what}: the files exist", gone)
    strangers = [e for e in entries if not set(found[e]) & set(files)]
    result(entries and not strangers, f"{what}: it begins in its files", strangers)
    outside, used = walk(found, entries, files, helpers)
    result(not outside, f"{what}: no function of the way is elsewhere", sorted(outside))
    # Accessors and logging are made by macros: their names in the files are enough.
    words = set(re.findall(r"\b[a-z_]\w*\b", "".join(open(f).read() for f in files)))
    unmet = [h for h in helpers if h not in used and (not h.startswith(("word_", "byte_", "log_")) or not fnmatch.filter(words, h))]
    result(not unmet, f"{what}: each named helper is met", unmet)
outside, _ = walk(found, ["peek_get"], ["src/lib/get.c"], [])
result(len(outside) > 5, "a list that lacks files would be noticed")
print(f"1..{n}")
sys.exit(failed)
